/** The smallest ONNX model, y = x: onnxruntime starts with it before there is a graph to run. As OnnxBuilder writes it. */
export const smallestModel = (): Uint8Array =>
  Uint8Array.from(
    atob(
      'CAkSCHBhcG8td2ViOkMKEAoBeBIBeSIISWRlbnRpdHkSBWdyYXBoWhMKAXgSDgoMCAESCAoCCAEKAggBYhMKAXkSDgoMCAESCAoCCAEKAggBQgQKABAUQhEKDWNvbS5taWNyb3NvZnQQAQ==',
    ),
    (character) => character.charCodeAt(0),
  );

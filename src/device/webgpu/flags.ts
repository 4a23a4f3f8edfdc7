/** WebGPU's flag values (specification, "GPUBufferUsage" and others): Node has the API but not these globals. */
export const usage = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyTarget: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
} as const;

export const mapModeRead = 1;
export const stageCompute = 4;

/** What every tensor's buffer may be used for. */
export const tensorUsage = usage.storage | usage.copySource | usage.copyTarget;

export const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

// images [B, 3, size, size] -> y [B * side * side, 3 * patch * patch], side = size / patch: patches row by row, in
// each the order (channel, row, column) of a patch convolution's weight. One thread an element of y.
struct Params { count: u32, size: u32, patch_size: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> images: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  let side = p.size / p.patch_size;
  let area = p.patch_size * p.patch_size;
  let column = i % p.patch_size;
  let row = i / p.patch_size % p.patch_size;
  let channel = i / area % 3u;
  let index = i / (3u * area);
  let image = index / (side * side);
  let top = index / side % side * p.patch_size + row;
  let left = index % side * p.patch_size + column;
  y[i] = images[((image * 3u + channel) * p.size + top) * p.size + left];
}

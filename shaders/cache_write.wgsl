// cache[r, turn * width + c] = x[r, c] for x [rows, width], cache [rows, stride]. In place. One thread an element of x.
struct Params { rows: u32, width: u32, stride: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> cache: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> turn: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.rows * p.width) { return; }
  let column = u32(turn[0]) * p.width + i % p.width;
  if (column < p.stride) { cache[i / p.width * p.stride + column] = x[i]; }
}

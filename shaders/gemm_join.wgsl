// C[m, n] = sum over the planes of partial[planes, m, n], + bias[n] (+ C): the second half of a split-k product.
// One thread an element; `count` = m * n. The planes are added in order, so results do not vary between runs.
struct Params { count: u32, columns: u32, planes: u32, c_start: u32, has_bias: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  var value = 0.0;
  for (var plane = 0u; plane < p.planes; plane++) { value += partial[plane * p.count + i]; }
  if (p.has_bias != 0u) { value += bias[i % p.columns]; }
  if (p.accumulate != 0u) { value += c[p.c_start + i]; }
  c[p.c_start + i] = value;
}

// === forward
// y[i] = gate[i] * sigmoid(gate[i]) * up[i], i < count. One thread an element.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
@group(0) @binding(2) var<storage, read> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  y[i] = gate[i] / (1.0 + exp(min(-gate[i], 80.0))) * up[i];
}
// === backward
// With s = sigmoid(gate): dgate = dy * up * (s + gate s (1 - s)), dup = dy * gate * s, i < count. One thread an element.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> up: array<f32>;
@group(0) @binding(4) var<storage, read_write> dgate: array<f32>;
@group(0) @binding(5) var<storage, read_write> dup: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  let a = gate[i];
  let s = 1.0 / (1.0 + exp(min(-a, 80.0)));
  dgate[i] = dy[i] * up[i] * (s + a * s * (1.0 - s));
  dup[i] = dy[i] * a * s;
}

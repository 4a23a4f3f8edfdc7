// GELU with the tanh approximation. With u = sqrt(2/pi) (x + 0.044715 x^3), 1/2 (1 + tanh u) = sigmoid(2u): WGSL's
// tanh may be off by 1e-5, and overflows on some GPUs.
// === forward
// y[i] = x[i] * sigmoid(2 u(x[i])), i < count. One thread an element.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  let a = x[i];
  let u = 0.7978845608028654 * (a + 0.044715 * a * a * a);
  y[i] = a / (1.0 + exp(min(-2.0 * u, 80.0)));
}
// === backward
// dx[i] = dy[i] * (s + 2 x s (1 - s) du/dx), s = sigmoid(2u), i < count. One thread an element.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  let a = x[i];
  let u = 0.7978845608028654 * (a + 0.044715 * a * a * a);
  let slope = 0.7978845608028654 * (1.0 + 3.0 * 0.044715 * a * a);
  let s = 1.0 / (1.0 + exp(min(-2.0 * u, 80.0)));
  dx[i] = dy[i] * (s + 2.0 * a * s * (1.0 - s) * slope);
}

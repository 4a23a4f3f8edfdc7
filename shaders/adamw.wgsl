// AdamW on one tensor in place, as torch.optim.AdamW, with the gradient clipped by the global norm sqrt(squares):
//   g *= min(1, max_norm / (norm + 1e-6));  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   parameter -= rate * (decay * parameter + (m / correction1) / (sqrt(v / correction2) + epsilon))
// `step` = (rate, correction1, correction2). max_norm 0: no clipping. One thread an element.
// 1 - beta comes from outside: in float32 it would lose digits.
struct Params {
  count: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32, decay: f32, max_norm: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<storage, read_write> moment1: array<f32>;
@group(0) @binding(3) var<storage, read_write> moment2: array<f32>;
@group(0) @binding(4) var<storage, read> gradient: array<f32>;
@group(0) @binding(5) var<storage, read> squares: array<f32>;
@group(0) @binding(6) var<storage, read> step_numbers: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  // Not finite: leave everything as it is. By the bits, since WGSL may assume that there is no inf and no nan.
  if ((bitcast<u32>(squares[0]) & 0x7f800000u) == 0x7f800000u) { return; }
  var clip = 1.0;
  if (p.max_norm > 0.0) { clip = min(1.0, p.max_norm / (sqrt(squares[0]) + 1e-6)); }
  let g = gradient[i] * clip;
  let m = p.beta1 * moment1[i] + p.rest1 * g;
  let v = p.beta2 * moment2[i] + p.rest2 * g * g;
  moment1[i] = m;
  moment2[i] = v;
  let rate = step_numbers[0];
  let stride = m / step_numbers[1] / (sqrt(v / step_numbers[2]) + p.epsilon);
  parameter[i] -= rate * (p.decay * parameter[i] + stride);
}

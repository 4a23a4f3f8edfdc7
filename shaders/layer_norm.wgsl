// xhat = (x - mean) * rstd, y = xhat * weight + bias over x [rows, d]; rstd [rows] = 1 / sqrt(var + epsilon), the
// biased variance. One workgroup a row; the variance is taken around the mean, in a second pass.
struct Params { rows: u32, d: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> xhat: array<f32>;
@group(0) @binding(6) var<storage, read_write> rstd: array<f32>;

var<workgroup> sums: array<f32, 64>;

fn total(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = value;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  workgroupBarrier();
  return sums[0];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let first = row * p.d;
  var sum = 0.0;
  for (var c = lane; c < p.d; c += 64u) { sum += x[first + c]; }
  let mean = total(lane, sum) / f32(p.d);
  var squares = 0.0;
  for (var c = lane; c < p.d; c += 64u) {
    let centred = x[first + c] - mean;
    squares += centred * centred;
  }
  let scale = inverseSqrt(total(lane, squares) / f32(p.d) + p.epsilon);
  for (var c = lane; c < p.d; c += 64u) {
    let normal = (x[first + c] - mean) * scale;
    xhat[first + c] = normal;
    y[first + c] = normal * weight[c] + bias[c];
  }
  if (lane == 0u) { rstd[row] = scale; }
}

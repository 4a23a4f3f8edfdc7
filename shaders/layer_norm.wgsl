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

// A lane's part of the sum, then of the sum of squares. Each lane adds all parts up: a barrier instead of a tree of them.
var<workgroup> sums: array<f32, 64>;
var<workgroup> squares: array<f32, 64>;

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
  sums[lane] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 64u; i++) { total += sums[i]; }
  let mean = total / f32(p.d);
  var square = 0.0;
  for (var c = lane; c < p.d; c += 64u) {
    let centred = x[first + c] - mean;
    square += centred * centred;
  }
  squares[lane] = square;
  workgroupBarrier();
  var variance = 0.0;
  for (var i = 0u; i < 64u; i++) { variance += squares[i] / f32(p.d); }
  let scale = inverseSqrt(variance + p.epsilon);
  for (var c = lane; c < p.d; c += 64u) {
    let normal = (x[first + c] - mean) * scale;
    xhat[first + c] = normal;
    y[first + c] = normal * weight[c] + bias[c];
  }
  if (lane == 0u) { rstd[row] = scale; }
}

// y = x * rstd * weight over x [rows, d]; rstd [rows] = 1 / sqrt(mean(x^2) + epsilon). One workgroup a row.
struct Params { rows: u32, d: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;

// A lane's part of the sum. Each lane adds all parts up: one barrier instead of a tree of them.
var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let first = row * p.d;
  var squares = 0.0;
  for (var c = lane; c < p.d; c += 64u) { squares += x[first + c] * x[first + c]; }
  sums[lane] = squares;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 64u; i++) { total += sums[i]; }
  let scale = inverseSqrt(total / f32(p.d) + p.epsilon);
  for (var c = lane; c < p.d; c += 64u) { y[first + c] = x[first + c] * scale * weight[c]; }
  if (lane == 0u) { rstd[row] = scale; }
}

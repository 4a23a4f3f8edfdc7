// dx = rstd * (g - x * rstd^2 * mean(g * x)), g = dy * weight, over [rows, d]; dyxhat = dy * x * rstd, whose column
// sums are the weight's gradient. One workgroup a row.
struct Params { rows: u32, d: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> dyxhat: array<f32>;

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
  let scale = rstd[row];
  // Over normalised values: rstd^2 alone may be very large.
  var sum = 0.0;
  for (var c = lane; c < p.d; c += 64u) { sum += dy[first + c] * weight[c] * (x[first + c] * scale); }
  sums[lane] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 64u; i++) { total += sums[i]; }
  let mean = total / f32(p.d);
  for (var c = lane; c < p.d; c += 64u) {
    let normal = x[first + c] * scale;
    dx[first + c] = scale * (dy[first + c] * weight[c] - normal * mean);
    dyxhat[first + c] = dy[first + c] * normal;
  }
}

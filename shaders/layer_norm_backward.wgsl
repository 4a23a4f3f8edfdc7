// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * weight, over [rows, d]. One workgroup a row.
struct Params { rows: u32, d: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> xhat: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

// A lane's parts of the sums of g and of g * xhat. Each lane adds all parts up: one barrier instead of a tree of them.
var<workgroup> sums: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let first = row * p.d;
  var sum = vec2f();
  for (var c = lane; c < p.d; c += 64u) {
    let g = dy[first + c] * weight[c];
    sum += vec2f(g, g * xhat[first + c]);
  }
  sums[lane] = sum;
  workgroupBarrier();
  var total = vec2f();
  for (var i = 0u; i < 64u; i++) { total += sums[i]; }
  let mean = total / f32(p.d);
  for (var c = lane; c < p.d; c += 64u) {
    dx[first + c] = rstd[row] * (dy[first + c] * weight[c] - mean.x - xhat[first + c] * mean.y);
  }
}

// y[r] = q-quantile of x[r, c] over the c with mask[r, c] = 1, linearly interpolated; 0 where none is kept.
// One workgroup a row. Selection by rank: a kept entry's rank is the number of kept entries before it in the
// order (value, column). Quadratic in the columns, which are completion tokens: at most a few thousand.
struct Params { rows: u32, columns: u32, q: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> kept: atomic<u32>;
var<workgroup> low_value: f32;
var<workgroup> high_value: f32;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  let base = row * p.columns;
  if (row < p.rows) {
    for (var c = lane; c < p.columns; c += 64u) {
      if (mask[base + c] != 0.0) { atomicAdd(&kept, 1u); }
    }
  }
  workgroupBarrier();
  let count = atomicLoad(&kept);
  let position = p.q * f32(max(count, 1u) - 1u);
  let low = u32(floor(position));
  let high = min(low + 1u, max(count, 1u) - 1u);
  if (row < p.rows) {
    for (var c = lane; c < p.columns; c += 64u) {
      if (mask[base + c] == 0.0) { continue; }
      let value = x[base + c];
      var rank = 0u;
      for (var other = 0u; other < p.columns; other++) {
        let rival = x[base + other];
        if (mask[base + other] != 0.0 && (rival < value || (rival == value && other < c))) { rank++; }
      }
      if (rank == low) { low_value = value; }
      if (rank == high) { high_value = value; }
    }
  }
  workgroupBarrier();
  if (lane == 0u && row < p.rows) {
    y[row] = select(0.0, low_value + (high_value - low_value) * (position - f32(low)), count > 0u);
  }
}

// y[i] = STEP over j of x[i * result_stride + j * stride], i < results, j < length.
// One workgroup a result: 64 lanes walk the axis, then a tree in shared memory joins them.
struct Params { results: u32, length: u32, result_stride: u32, stride: u32, start: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> lanes: array<f32, 64>;

fn step(a: f32, b: f32) -> f32 { return /*STEP*/; }

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.x + group.y * groups.x;
  var value = p.start;
  if (i < p.results) {
    for (var j = lane; j < p.length; j += 64u) {
      value = step(value, x[i * p.result_stride + j * p.stride]);
    }
  }
  lanes[lane] = value;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] = step(lanes[lane], lanes[lane + half]); }
  }
  if (lane == 0u && i < p.results) { y[i] = lanes[0]; }
}

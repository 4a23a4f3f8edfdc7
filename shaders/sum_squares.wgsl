// Sums over x [count], squared first where `square` is 1: workgroup w sums the elements [w * span, (w + 1) * span)
// into sums[first + w]. Two rounds make a global gradient norm: squares of each tensor, then the sum of the sums.
struct Params { count: u32, span: u32, first: u32, square: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

var<workgroup> lanes: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let end = min(p.count, (group.x + 1u) * p.span);
  var sum = 0.0;
  for (var i = group.x * p.span + lane; i < end; i += 256u) {
    sum += select(x[i], x[i] * x[i], p.square != 0u);
  }
  lanes[lane] = sum;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  if (lane == 0u) { sums[p.first + group.x] = lanes[0]; }
}

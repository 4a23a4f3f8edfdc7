// y[0] = 1 where all of x [count] are nonzero, else 0. One workgroup.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

var<workgroup> zeros: atomic<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var mine = 0u;
  for (var i = lane; i < p.count; i += 64u) { mine += u32(x[i] == 0); }
  if (mine > 0u) { atomicAdd(&zeros, mine); }
  workgroupBarrier();
  if (lane == 0u) { y[0] = i32(atomicLoad(&zeros) == 0u); }
}

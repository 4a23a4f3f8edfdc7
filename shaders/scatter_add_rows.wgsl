// y[index[r], c] += x[r, c] for x [count, d] into y [rows, d], which clear.wgsl has zeroed.
// One workgroup a row of x. Only the first row with its index works: it adds all rows with that index, in order,
// so there are no atomic sums and the result is the same in every run.
// The rows are looked through 2,048 at a time: 64 lanes set a bit for each match, then all lanes walk the bits.
struct Params { count: u32, d: u32, rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> matches: array<atomic<u32>, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let source = group.x + group.y * groups.x;
  if (source >= p.count) { return; }
  let row = index[source];
  let inside = row >= 0 && u32(row) < p.rows;
  var first = p.count;
  for (var start = 0u; start < p.count; start += 2048u) {
    atomicStore(&matches[lane], 0u);
    workgroupBarrier();
    let end = min(p.count, start + 2048u);
    for (var r = start + lane; r < end; r += 64u) {
      if (index[r] == row) { atomicOr(&matches[(r - start) / 32u], 1u << ((r - start) % 32u)); }
    }
    workgroupBarrier();
    for (var word = 0u; word < 64u; word++) {
      var bits = atomicLoad(&matches[word]);
      while (bits != 0u) {
        let r = start + word * 32u + firstTrailingBit(bits);
        bits &= bits - 1u;
        first = min(first, r);
        if (first != source || !inside) { continue; }
        for (var c = lane; c < p.d; c += 64u) { y[u32(row) * p.d + c] += x[r * p.d + c]; }
      }
    }
    workgroupBarrier();
  }
}

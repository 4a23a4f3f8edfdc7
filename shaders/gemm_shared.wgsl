// C[m, n] = sum_k A(m, k) B(k, n) + bias[n] (+ C), A and B read by strides.
// A workgroup of SIDE x SIDE threads computes 4 SIDE x 4 SIDE of C: 16 columns of A and 16 rows of B go through
// shared memory, each thread holds a 4 x 4 tile. Tiles are kept as vec4 (four rows of A, four columns of B at one
// k) and written whole, since threads may not write components of one vector. Past the edge tiles are zero.
// Workgroup z takes the k-range [z * chunk, (z + 1) * chunk) and writes plane z of C (split-k).
const SIDE = 16u;
const DEPTH = 16u;
// One vec4 of padding, so that lanes that walk k do not all hit the same memory bank.
const PITCH = SIDE + 1u;

struct Params {
  m: u32, n: u32, k: u32, chunk: u32,
  a_row: u32, a_column: u32, b_row: u32, b_column: u32,
  a_start: u32, b_start: u32, c_start: u32, has_bias: u32, accumulate: u32, c_row: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// B may be half floats: half-operand.ts puts other lines in the place of its declaration and of this one.
fn load_b(at: u32) -> f32 { return b[at]; }

var<workgroup> tile_a: array<vec4f, DEPTH * PITCH>;
var<workgroup> tile_b: array<vec4f, DEPTH * PITCH>;

fn read_a(row: u32, k: u32) -> f32 { return a[p.a_start + min(row, p.m - 1u) * p.a_row + k * p.a_column]; }
fn read_b(k: u32, column: u32) -> f32 {
  return load_b(p.b_start + k * p.b_row + min(column, p.n - 1u) * p.b_column);
}

fn store_row(row: u32, column: u32, plane: u32, sum: vec4f) {
  if (row >= p.m) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < p.n) {
      let at = p.c_start + (plane * p.m + row) * p.c_row + column + j;
      var value = sum[j];
      if (p.has_bias != 0u) { value += bias[column + j]; }
      if (p.accumulate != 0u) { value += c[at]; }
      c[at] = value;
    }
  }
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.y * SIDE * 4u;
  let first_column = group.x * SIDE * 4u;
  let start = group.z * p.chunk;
  let end = min(p.k, start + p.chunk);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var base = start; base < end; base += DEPTH) {
    for (var i = lane; i < SIDE * DEPTH; i += SIDE * SIDE) {
      // Neighbouring lanes walk the axis along which the operand is contiguous.
      let a_walks_k = p.a_column == 1u;
      let a_k = select(i / SIDE, i % DEPTH, a_walks_k);
      let a_quad = select(i % SIDE, i / DEPTH, a_walks_k);
      let row = first_row + a_quad * 4u;
      var left = vec4f();
      if (base + a_k < end) {
        let k = base + a_k;
        left = vec4f(read_a(row, k), read_a(row + 1u, k), read_a(row + 2u, k), read_a(row + 3u, k));
      }
      tile_a[a_k * PITCH + a_quad] = left;

      let b_walks_k = p.b_row == 1u;
      let b_k = select(i / SIDE, i % DEPTH, b_walks_k);
      let b_quad = select(i % SIDE, i / DEPTH, b_walks_k);
      let column = first_column + b_quad * 4u;
      var right = vec4f();
      if (base + b_k < end) {
        let k = base + b_k;
        right = vec4f(read_b(k, column), read_b(k, column + 1u), read_b(k, column + 2u), read_b(k, column + 3u));
      }
      tile_b[b_k * PITCH + b_quad] = right;
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let left = tile_a[k * PITCH + thread.y];
      let right = tile_b[k * PITCH + thread.x];
      sum0 += left.x * right;
      sum1 += left.y * right;
      sum2 += left.z * right;
      sum3 += left.w * right;
    }
    workgroupBarrier();
  }
  let row = first_row + thread.y * 4u;
  let column = first_column + thread.x * 4u;
  store_row(row, column, group.z, sum0);
  store_row(row + 1u, column, group.z, sum1);
  store_row(row + 2u, column, group.z, sum2);
  store_row(row + 3u, column, group.z, sum3);
}

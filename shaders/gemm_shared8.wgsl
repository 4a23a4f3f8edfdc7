// C[m, n] = sum_k A(m, k) B(k, n) + bias[n] (+ C), A and B read by strides: gemm_shared with 8 x 8 of C a thread.
// 64 threads compute 64 x 64 of C, half the reads of shared memory a multiplication. A thread's rows are two quads
// 32 apart, and so its columns: neighbouring threads then read neighbouring vectors.
// Workgroup z takes the k-range [z * chunk, (z + 1) * chunk) and writes plane z of C (split-k).
const SIDE = 8u;
const QUADS = 16u;
const DEPTH = 16u;
const PITCH = QUADS + 1u;

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

// Row i of C's tile is column i of the matrix.
fn outer(left: vec4f, right: vec4f) -> mat4x4f {
  return mat4x4f(left.x * right, left.y * right, left.z * right, left.w * right);
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

fn store(row: u32, column: u32, plane: u32, sum: mat4x4f) {
  store_row(row, column, plane, sum[0]);
  store_row(row + 1u, column, plane, sum[1]);
  store_row(row + 2u, column, plane, sum[2]);
  store_row(row + 3u, column, plane, sum[3]);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.y * QUADS * 4u;
  let first_column = group.x * QUADS * 4u;
  let start = group.z * p.chunk;
  let end = min(p.k, start + p.chunk);
  var sum00 = mat4x4f();
  var sum01 = mat4x4f();
  var sum10 = mat4x4f();
  var sum11 = mat4x4f();
  for (var base = start; base < end; base += DEPTH) {
    for (var i = lane; i < QUADS * DEPTH; i += SIDE * SIDE) {
      // Neighbouring lanes walk the axis along which the operand is contiguous.
      let a_walks_k = p.a_column == 1u;
      let a_k = select(i / QUADS, i % DEPTH, a_walks_k);
      let a_quad = select(i % QUADS, i / DEPTH, a_walks_k);
      let row = first_row + a_quad * 4u;
      var left = vec4f();
      if (base + a_k < end) {
        let k = base + a_k;
        left = vec4f(read_a(row, k), read_a(row + 1u, k), read_a(row + 2u, k), read_a(row + 3u, k));
      }
      tile_a[a_k * PITCH + a_quad] = left;

      let b_walks_k = p.b_row == 1u;
      let b_k = select(i / QUADS, i % DEPTH, b_walks_k);
      let b_quad = select(i % QUADS, i / DEPTH, b_walks_k);
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
      let left0 = tile_a[k * PITCH + thread.y];
      let left1 = tile_a[k * PITCH + thread.y + SIDE];
      let right0 = tile_b[k * PITCH + thread.x];
      let right1 = tile_b[k * PITCH + thread.x + SIDE];
      sum00 += outer(left0, right0);
      sum01 += outer(left0, right1);
      sum10 += outer(left1, right0);
      sum11 += outer(left1, right1);
    }
    workgroupBarrier();
  }
  let row = first_row + thread.y * 4u;
  let column = first_column + thread.x * 4u;
  store(row, column, group.z, sum00);
  store(row, column + SIDE * 4u, group.z, sum01);
  store(row + SIDE * 4u, column, group.z, sum10);
  store(row + SIDE * 4u, column + SIDE * 4u, group.z, sum11);
}

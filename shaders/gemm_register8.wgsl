// C[m, n] = sum_k A(m, k) B(k, n) + bias[n] (+ C), A and B read by strides: gemm_register with 8 x 8 of C a thread.
// Half the reads a multiplication, for products that fill the device with a quarter of the threads.
// Workgroup: 8 x 8 threads, 64 x 64 of C. Rows and columns past the edge read the last one and store nothing.
// Workgroup z takes the k-range [z * chunk, (z + 1) * chunk) and writes plane z of C (split-k).
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

// The positions of four rows of A, or columns of B.
fn positions(first: u32, count: u32, stride: u32) -> vec4u {
  return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(count - 1u)) * stride;
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

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 8u;
  let column = id.x * 8u;
  if (row >= p.m || column >= p.n) { return; }
  let start = id.z * p.chunk;
  let end = min(p.k, start + p.chunk);
  var a0 = positions(row, p.m, p.a_row) + p.a_start + start * p.a_column;
  var a1 = positions(row + 4u, p.m, p.a_row) + p.a_start + start * p.a_column;
  var b0 = positions(column, p.n, p.b_column) + p.b_start + start * p.b_row;
  var b1 = positions(column + 4u, p.n, p.b_column) + p.b_start + start * p.b_row;
  var sum00 = mat4x4f();
  var sum01 = mat4x4f();
  var sum10 = mat4x4f();
  var sum11 = mat4x4f();
  for (var k = start; k < end; k++) {
    let right0 = vec4f(load_b(b0.x), load_b(b0.y), load_b(b0.z), load_b(b0.w));
    let right1 = vec4f(load_b(b1.x), load_b(b1.y), load_b(b1.z), load_b(b1.w));
    let left0 = vec4f(a[a0.x], a[a0.y], a[a0.z], a[a0.w]);
    let left1 = vec4f(a[a1.x], a[a1.y], a[a1.z], a[a1.w]);
    sum00 += outer(left0, right0);
    sum01 += outer(left0, right1);
    sum10 += outer(left1, right0);
    sum11 += outer(left1, right1);
    a0 += vec4u(p.a_column);
    a1 += vec4u(p.a_column);
    b0 += vec4u(p.b_row);
    b1 += vec4u(p.b_row);
  }
  store(row, column, id.z, sum00);
  store(row, column + 4u, id.z, sum01);
  store(row + 4u, column, id.z, sum10);
  store(row + 4u, column + 4u, id.z, sum11);
}

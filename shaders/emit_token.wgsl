// For each of n rows: token = padding where finished, else the sampled one; done = finished, or token is an end token;
// completions[row, turn] = token, completions [n, length]. At most four end tokens. One thread a row.
struct Params { n: u32, length: u32, padding: i32, end0: i32, end1: i32, end2: i32, end3: i32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sampled: array<i32>;
@group(0) @binding(2) var<storage, read_write> completions: array<i32>;
@group(0) @binding(3) var<storage, read> finished: array<i32>;
@group(0) @binding(4) var<storage, read> turn: array<i32>;
@group(0) @binding(5) var<storage, read_write> token: array<i32>;
@group(0) @binding(6) var<storage, read_write> done: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= p.n) { return; }
  let was_done = finished[row] != 0;
  let t = select(sampled[row], p.padding, was_done);
  let ends = t == p.end0 || t == p.end1 || t == p.end2 || t == p.end3;
  token[row] = t;
  done[row] = i32(was_done || ends);
  if (u32(turn[0]) < p.length) { completions[row * p.length + u32(turn[0])] = t; }
}

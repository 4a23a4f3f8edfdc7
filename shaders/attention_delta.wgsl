// stats[i] = (lse[i], dy[i] . y[i]) for i = (row, head) < count: what the backward kernels need of each query, in one
// buffer. One thread a (row, head).
/*HEAD: const HEAD_DIM, WIDTH; alias Piece; fn inner(Piece, Piece) -> f32 */
const PIECES = HEAD_DIM / WIDTH;
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<Piece>;
@group(0) @binding(2) var<storage, read> y: array<Piece>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  var delta = 0.0;
  for (var c = 0u; c < PIECES; c++) { delta += inner(dy[i * PIECES + c], y[i * PIECES + c]); }
  stats[i] = vec2f(lse[i], delta);
}

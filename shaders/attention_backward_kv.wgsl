// dv = sum over queries of P dy, dk = scale * sum of ds q, P and ds as in attention_backward_q.wgsl; the queries of all
// heads that share a key-value head are summed. dk and dv [rows, kv_heads * HEAD_DIM].
// One workgroup a (tile of TILE keys of one prefix or completion, kv head): it walks the queries that see any of its
// keys, TILE at a time. First a thread a (query, key) finds P and ds, then a thread a (key, every TILE-th piece) adds up.
/*TILE: const TILE */
// One piece of padding a row, so that lanes reading a column of a tile do not meet in one memory bank.
const PITCH = PIECES + 1u;
const SHARE = (PIECES + TILE - 1u) / TILE;

@group(0) @binding(1) var<storage, read> dy: array<Piece>;
@group(0) @binding(2) var<storage, read> q: array<Piece>;
@group(0) @binding(3) var<storage, read> k: array<Piece>;
@group(0) @binding(4) var<storage, read> v: array<Piece>;
@group(0) @binding(5) var<storage, read> mask: array<f32>;
@group(0) @binding(6) var<storage, read> stats: array<vec2f>;
@group(0) @binding(7) var<storage, read_write> dk: array<Piece>;
@group(0) @binding(8) var<storage, read_write> dv: array<Piece>;

var<workgroup> k_tile: array<Piece, TILE * PITCH>;
var<workgroup> v_tile: array<Piece, TILE * PITCH>;
var<workgroup> q_tile: array<Piece, TILE * PITCH>;
var<workgroup> dy_tile: array<Piece, TILE * PITCH>;
// (P, ds) of (query, key).
var<workgroup> weights: array<vec2f, TILE * TILE>;

// Queries by number: those of rows [first, first + count), then of [later_first, …), each with the heads of the group.
struct Queries { first: u32, count: u32, later_first: u32, total: u32 }

fn query_row(queries: Queries, number: u32) -> u32 {
  return select(queries.later_first + number - queries.count, queries.first + number, number < queries.count);
}

@compute @workgroup_size(TILE * TILE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let prefix_tiles = (p.prefix_length + TILE - 1u) / TILE;
  let own_tiles = (p.completion_length + TILE - 1u) / TILE;
  let index = group.x + group.y * groups.x;
  if (index >= (prefix_tiles + p.group * own_tiles) * p.prefixes * p.kv_heads) { return; }
  let kv_head = index % p.kv_heads;
  let tile = index / p.kv_heads;
  let prefix_rows = p.prefixes * p.prefix_length;
  let own_rows = p.group * p.completion_length;
  let in_prefix = tile < prefix_tiles * p.prefixes;
  var first_key: u32;
  var keys: u32;
  var queries: Queries;
  if (in_prefix) {
    let prefix = tile / prefix_tiles;
    let token = tile % prefix_tiles * TILE;
    first_key = prefix * p.prefix_length + token;
    keys = min(TILE, p.prefix_length - token);
    let from_token = select(0u, token, p.causal != 0u);
    queries.first = prefix * p.prefix_length + from_token;
    queries.count = p.prefix_length - from_token;
    queries.later_first = prefix_rows + prefix * own_rows;
    queries.total = queries.count + own_rows;
  } else {
    let completion = (tile - prefix_tiles * p.prefixes) / own_tiles;
    let token = (tile - prefix_tiles * p.prefixes) % own_tiles * TILE;
    first_key = prefix_rows + completion * p.completion_length + token;
    keys = min(TILE, p.completion_length - token);
    queries.first = first_key;
    queries.count = p.completion_length - token;
    queries.total = queries.count;
  }

  for (var i = lane; i < TILE * PIECES; i += TILE * TILE) {
    let key = i / PIECES;
    let piece = i % PIECES;
    if (key < keys) {
      let at = ((first_key + key) * p.kv_heads + kv_head) * PIECES + piece;
      k_tile[key * PITCH + piece] = k[at];
      v_tile[key * PITCH + piece] = v[at];
    }
  }
  let slow = lane / TILE;
  let fast = lane % TILE;
  var sum_k: array<Piece, SHARE>;
  var sum_v: array<Piece, SHARE>;
  let repeats = p.heads / p.kv_heads;
  let count = queries.total * repeats;
  for (var base = 0u; base < count; base += TILE) {
    for (var i = lane; i < TILE * PIECES; i += TILE * TILE) {
      let number = base + i / PIECES;
      let piece = i % PIECES;
      if (number < count) {
        let head = kv_head * repeats + number % repeats;
        let at = (query_row(queries, number / repeats) * p.heads + head) * PIECES + piece;
        q_tile[i / PIECES * PITCH + piece] = q[at];
        dy_tile[i / PIECES * PITCH + piece] = dy[at];
      }
    }
    workgroupBarrier();
    let number = base + slow;
    var weight = vec2f();
    if (number < count && fast < keys) {
      let row = query_row(queries, number / repeats);
      let key = first_key + fast;
      if (row >= key || (in_prefix && p.causal == 0u)) {
        let stat = stats[row * p.heads + kv_head * repeats + number % repeats];
        var score = 0.0;
        var slope = 0.0;
        for (var c = 0u; c < PIECES; c++) {
          score += inner(q_tile[slow * PITCH + c], k_tile[fast * PITCH + c]);
          slope += inner(dy_tile[slow * PITCH + c], v_tile[fast * PITCH + c]);
        }
        score *= p.scale;
        if (in_prefix && mask[key] == 0.0) { score += HIDDEN; }
        let probability = exp(min(score - stat.x, 0.0));
        weight = vec2f(probability, probability * (slope - stat.y));
      }
    }
    weights[slow * TILE + fast] = weight;
    workgroupBarrier();
    for (var i = 0u; i < min(TILE, count - base); i++) {
      let both = weights[i * TILE + slow];
      for (var c = 0u; c < SHARE; c++) {
        let piece = fast + c * TILE;
        if (piece < PIECES) {
          sum_v[c] += both.x * dy_tile[i * PITCH + piece];
          sum_k[c] += both.y * q_tile[i * PITCH + piece];
        }
      }
    }
    workgroupBarrier();
  }
  if (slow < keys) {
    for (var c = 0u; c < SHARE; c++) {
      let piece = fast + c * TILE;
      if (piece < PIECES) {
        let at = ((first_key + slow) * p.kv_heads + kv_head) * PIECES + piece;
        dk[at] = sum_k[c] * p.scale;
        dv[at] = sum_v[c];
      }
    }
  }
}

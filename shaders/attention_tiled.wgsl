// y and lse as in attention.wgsl, for heads of a multiple of 4 floats: keys and values go through shared memory.
// One workgroup a (tile of 32 queries, kv head): a query is a (token, head of the group) of one prefix or completion, so
// that the heads of a group read a key once. 8 x 8 threads: thread (x, y) scores the queries 4 y ... 4 y + 3 with every
// 8th key from x on, then adds up every 8th piece of the values from x on for the same queries. Vectors of four run over
// the queries of a thread. Softmax with a running maximum; no score leaves the workgroup.
/*TILED: const KEYS_EACH */
const SIDE = 8u;
const QUERIES = SIDE * 4u;
const KEYS = SIDE * KEYS_EACH;
// One piece of padding a row, so that lanes reading a column of a tile do not meet in one memory bank.
const PITCH = PIECES + 1u;
const SCORE_PITCH = SIDE + 1u;
const SHARE = (PIECES + SIDE - 1u) / SIDE;
const LOWEST = -3.4e38;

@group(0) @binding(1) var<storage, read> q: array<Piece>;
@group(0) @binding(2) var<storage, read> k: array<Piece>;
@group(0) @binding(3) var<storage, read> v: array<Piece>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<Piece>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

var<workgroup> q_tile: array<Piece, QUERIES * PITCH>;
// Keys, then values.
var<workgroup> kv_tile: array<Piece, KEYS * PITCH>;
// Of (key, four queries): scores, then what is left of them after the exponential.
var<workgroup> scores: array<vec4f, KEYS * SCORE_PITCH>;

// The rows that a workgroup has to do with: queries from query_first on, `tokens` of them; keys as in attention_common.
struct Tile { kv_head: u32, query_first: u32, tokens: u32, first_number: u32, keys_before: u32, seen: Query }

fn tile_at(index: u32) -> Tile {
  let repeats = p.heads / p.kv_heads;
  let prefix_tiles = (p.prefix_length * repeats + QUERIES - 1u) / QUERIES;
  let own_tiles = (p.completion_length * repeats + QUERIES - 1u) / QUERIES;
  var t: Tile;
  t.kv_head = index % p.kv_heads;
  let tile = index / p.kv_heads;
  if (tile < prefix_tiles * p.prefixes) {
    let prefix = tile / prefix_tiles;
    t.query_first = prefix * p.prefix_length;
    t.tokens = p.prefix_length;
    t.first_number = tile % prefix_tiles * QUERIES;
    t.seen.prefix_first = t.query_first;
    t.seen.prefix_keys = p.prefix_length;
    // A token sees itself and those before it, or all.
    t.keys_before = select(p.prefix_length, 1u, p.causal != 0u);
  } else {
    let own = tile - prefix_tiles * p.prefixes;
    let completion = own / own_tiles;
    t.query_first = p.prefixes * p.prefix_length + completion * p.completion_length;
    t.tokens = p.completion_length;
    t.first_number = own % own_tiles * QUERIES;
    t.seen.prefix_first = completion / p.group * p.prefix_length;
    t.seen.prefix_keys = p.prefix_length;
    t.seen.own_first = t.query_first;
    t.keys_before = p.prefix_length + 1u;
  }
  return t;
}

// How many keys token `token` of the tile's prefix or completion sees.
fn keys_of(t: Tile, token: u32) -> u32 {
  return t.keys_before + select(token, 0u, t.keys_before == p.prefix_length && p.causal == 0u);
}

fn outer(left: vec4f, right: vec4f) -> mat4x4f {
  return mat4x4f(left.x * right, left.y * right, left.z * right, left.w * right);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let repeats = p.heads / p.kv_heads;
  let prefix_tiles = (p.prefix_length * repeats + QUERIES - 1u) / QUERIES;
  let own_tiles = (p.completion_length * repeats + QUERIES - 1u) / QUERIES;
  let index = group.x + group.y * groups.x;
  if (index >= (prefix_tiles + p.group * own_tiles) * p.prefixes * p.kv_heads) { return; }
  let t = tile_at(index);
  let count = t.tokens * repeats;
  for (var i = lane; i < QUERIES * PIECES; i += SIDE * SIDE) {
    let number = t.first_number + i / PIECES;
    var piece = Piece();
    if (number < count) {
      let row = t.query_first + number / repeats;
      let head = t.kv_head * repeats + number % repeats;
      piece = q[(row * p.heads + head) * PIECES + i % PIECES] * p.scale;
    }
    q_tile[i / PIECES * PITCH + i % PIECES] = piece;
  }
  // Of the thread's four queries; past the last one they see nothing and are not stored.
  let numbers = t.first_number + thread.y * 4u + vec4u(0u, 1u, 2u, 3u);
  var limits: vec4u;
  for (var i = 0u; i < 4u; i++) { limits[i] = select(0u, keys_of(t, numbers[i] / repeats), numbers[i] < count); }
  let keys = keys_of(t, min(t.tokens - 1u, (t.first_number + QUERIES - 1u) / repeats));

  let first_query = thread.y * 4u * PITCH;
  var top = vec4f(LOWEST);
  var total = vec4f();
  var mixed: array<mat4x4f, SHARE>;
  for (var base = 0u; base < keys; base += KEYS) {
    for (var i = lane; i < KEYS * PIECES; i += SIDE * SIDE) {
      let j = base + i / PIECES;
      var piece = Piece();
      if (j < keys) { piece = k[(key_row(t.seen, j) * p.kv_heads + t.kv_head) * PIECES + i % PIECES]; }
      kv_tile[i / PIECES * PITCH + i % PIECES] = piece;
    }
    workgroupBarrier();
    // Set to zero by name: Chromium has kept what an earlier turn of the loop left in it.
    var mine = array<vec4f, KEYS_EACH>();
    for (var c = 0u; c < PIECES; c++) {
      let q0 = q_tile[first_query + c];
      let q1 = q_tile[first_query + PITCH + c];
      let q2 = q_tile[first_query + 2u * PITCH + c];
      let q3 = q_tile[first_query + 3u * PITCH + c];
      for (var e = 0u; e < KEYS_EACH; e++) {
        let key = kv_tile[(thread.x + e * SIDE) * PITCH + c];
        mine[e] += vec4f(inner(q0, key), inner(q1, key), inner(q2, key), inner(q3, key));
      }
    }
    for (var e = 0u; e < KEYS_EACH; e++) {
      let key = thread.x + e * SIDE;
      let j = base + key;
      if (j < t.seen.prefix_keys && mask[t.seen.prefix_first + min(j, t.seen.prefix_keys - 1u)] == 0.0) {
        mine[e] += vec4f(HIDDEN);
      }
      mine[e] = select(vec4f(LOWEST), mine[e], vec4u(j) < limits);
      scores[key * SCORE_PITCH + thread.y] = mine[e];
    }
    workgroupBarrier();
    var higher = top;
    for (var key = 0u; key < KEYS; key++) { higher = max(higher, scores[key * SCORE_PITCH + thread.y]); }
    for (var i = lane; i < KEYS * PIECES; i += SIDE * SIDE) {
      let j = base + i / PIECES;
      var piece = Piece();
      if (j < keys) { piece = v[(key_row(t.seen, j) * p.kv_heads + t.kv_head) * PIECES + i % PIECES]; }
      kv_tile[i / PIECES * PITCH + i % PIECES] = piece;
    }
    workgroupBarrier();
    for (var e = 0u; e < KEYS_EACH; e++) {
      scores[(thread.x + e * SIDE) * SCORE_PITCH + thread.y] = exp(mine[e] - higher);
    }
    workgroupBarrier();
    let shrink = exp(top - higher);
    top = higher;
    total *= shrink;
    for (var c = 0u; c < SHARE; c++) {
      mixed[c] = mat4x4f(
        shrink.x * mixed[c][0], shrink.y * mixed[c][1], shrink.z * mixed[c][2], shrink.w * mixed[c][3],
      );
    }
    for (var key = 0u; key < KEYS; key++) {
      let weights = scores[key * SCORE_PITCH + thread.y];
      total += weights;
      for (var c = 0u; c < SHARE; c++) {
        let piece = min(thread.x + c * SIDE, PIECES - 1u);
        mixed[c] += outer(weights, kv_tile[key * PITCH + piece]);
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    if (numbers[i] < count) {
      let row = t.query_first + numbers[i] / repeats;
      let head = t.kv_head * repeats + numbers[i] % repeats;
      for (var c = 0u; c < SHARE; c++) {
        let piece = thread.x + c * SIDE;
        if (piece < PIECES) { y[(row * p.heads + head) * PIECES + piece] = mixed[c][i] / total[i]; }
      }
      if (thread.x == 0u) { lse[row * p.heads + head] = top[i] + log(total[i]); }
    }
  }
}

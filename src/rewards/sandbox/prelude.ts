/**
 * What runs inside the interpreter before the user's code, and reads its results behind it. It keeps the built-ins it
 * needs, and builds its answers by concatenation: the user's code may replace every global and every prototype.
 */
export const MAX_LOG_LINES = 200;
export const MAX_LOG_LINE = 500;

export const prelude = `(() => {
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const text = String;
  let logs = '';
  let count = 0;

  const show = (value) => {
    if (typeof value === 'string') return value;
    try {
      const json = stringify(value);
      return typeof json === 'string' ? json : text(value);
    } catch {
      return typeof value;
    }
  };
  const log = (...parts) => {
    if (count++ >= ${MAX_LOG_LINES}) return;
    let line = '';
    for (let i = 0; i < parts.length && line.length < ${MAX_LOG_LINE}; i++) line += (i ? ' ' : '') + show(parts[i]);
    logs += (logs ? ',' : '') + stringify(line);
  };
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };

  // Exotic things are thrown too: a Proxy, an object whose getters throw.
  const read = (object, key) => {
    try {
      const value = object[key];
      return typeof value === 'string' || typeof value === 'number' ? text(value) : '';
    } catch {
      return '';
    }
  };
  const describe = (error) => {
    const isObject = (typeof error === 'object' && error !== null) || typeof error === 'function';
    const primitive = typeof error === 'symbol' || isObject ? '' : text(error);
    return '{"name":' + stringify(isObject ? read(error, 'name') : '') +
      ',"message":' + stringify(isObject ? read(error, 'message') : primitive) +
      ',"line":' + stringify(isObject ? read(error, 'lineNumber') : '') +
      ',"stack":' + stringify(isObject ? read(error, 'stack') : '') + '}';
  };

  const token = (value) => {
    if (value === null || value === undefined) return 'null';
    if (typeof value === 'boolean') return text(value);
    if (typeof value !== 'number') return '{"junk":"a value of type ' + typeof value + '"}';
    // JSON has no NaN and no infinities.
    return value - value === 0 ? (value === 0 ? '0' : text(value)) : '{"junk":"' + text(value) + '"}';
  };
  const results = (value, wanted) => {
    if (!isArray(value)) return '{"type":"' + (value === null ? 'null' : typeof value) + '"}';
    const length = value.length;
    if (length !== wanted) return '{"length":' + text(length) + '}';
    let out = '';
    for (let i = 0; i < length; i++) out += (i ? ',' : '') + token(value[i]);
    return '{"values":[' + out + ']}';
  };
  const collected = () => '{"count":' + text(count) + ',"lines":[' + logs + ']}';

  return { parse, describe, results, collected };
})()`;

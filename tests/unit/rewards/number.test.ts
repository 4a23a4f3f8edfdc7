import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readQuantity, sameQuantity } from '../../../src/rewards/number.ts';
import { hostileTexts, rewardOf } from './cases.ts';

const read = (text: string) => {
  const found = readQuantity(text);
  return found && { value: found.value, percent: found.isPercent, dimension: found.unit?.dimension ?? null };
};

describe('a number', () => {
  it.each<readonly [string, number]>([
    ...([
      ['5', 5],
      ['-5', -5],
      ['+5', 5],
      ['- 5', -5],
      ['−5', -5],
      ['–5', -5],
      ['05', 5],
      ['5.', 5],
    ] as const),
    ...([
      ['.5', 0.5],
      ['-.5', -0.5],
      ['5.0', 5],
      ['５', 5],
      ['(5)', 5],
      ['{5}', 5],
      [' 5 ', 5],
      ['5\n', 5],
    ] as const),
    ...([
      ['1,234', 1234],
      ['1,234.5', 1234.5],
      ['12,345,678', 12345678],
      ['1 234 567', 1234567],
    ] as const),
    ...([
      ["1'234'567", 1234567],
      ['1\u202f234', 1234],
      ['1\u00a0234,5', 1234.5],
      ['1{,}234', 1234],
    ] as const),
    ...([
      ['1.234.567', 1234567],
      ['1.234,56', 1234.56],
      ['1.234.567,8', 1234567.8],
      ['3,14', 3.14],
    ] as const),
    ...([
      ['0,123', 0.123],
      ['12,5', 12.5],
      ['1,00,000', 100000],
      ['1,\\!234', 1234],
      ['1.234', 1.234],
    ] as const),
    ...([
      ['1e3', 1000],
      ['1.5E-3', 0.0015],
      ['2e+2', 200],
      ['3 \\times 10^8', 3e8],
      ['3×10^8', 3e8],
    ] as const),
    ...([
      ['3·10⁸', 3e8],
      ['10^{-3}', 1e-3],
      ['10⁻³', 1e-3],
      ['2^10', 1024],
      ['-2^2', -4],
      ['1.2*10^(3)', 1200],
    ] as const),
    ...([
      ['1/2', 0.5],
      ['-1/2', -0.5],
      ['1 / 2', 0.5],
      ['\\frac{1}{2}', 0.5],
      ['\\frac12', 0.5],
      ['½', 0.5],
    ] as const),
    ...([
      ['-\\frac{1}{2}', -0.5],
      ['\\frac{-1}{2}', -0.5],
      ['\\dfrac{1}{2}', 0.5],
      ['\\tfrac 1 2', 0.5],
    ] as const),
    ...([
      ['\\frac1{20}', 0.05],
      ['\\frac{10}2', 5],
      ['\\frac{\\frac{1}{2}}{3}', 1 / 6],
      ['6/2', 3],
      ['⅔', 2 / 3],
    ] as const),
    ...([
      ['3 1/2', 3.5],
      ['-3 1/2', -3.5],
      ['3\\frac{1}{2}', 3.5],
      ['3 \\frac12', 3.5],
      ['3½', 3.5],
    ] as const),
    ...([
      ['3 and 1/2', 3.5],
      ['3+1/2', 3.5],
      ['-3\\frac{1}{2}', -3.5],
      ['12\\dfrac{3}{4}', 12.75],
    ] as const),
    ...([
      ['\\sqrt{2}', Math.SQRT2],
      ['\\sqrt2', Math.SQRT2],
      ['√2', Math.SQRT2],
      ['sqrt(2)', Math.SQRT2],
    ] as const),
    ...([
      ['2\\sqrt{3}', 2 * Math.sqrt(3)],
      ['2√3', 2 * Math.sqrt(3)],
      ['√12', Math.sqrt(12)],
    ] as const),
    ...([
      ['\\sqrt[3]{8}', 2],
      ['\\sqrt[3]{27}', 3],
      ['\\frac{\\sqrt{3}}{2}', Math.sqrt(3) / 2],
    ] as const),
    ...([
      ['1+\\sqrt{2}', 1 + Math.SQRT2],
      ['\\frac{1+\\sqrt{5}}{2}', (1 + Math.sqrt(5)) / 2],
    ] as const),
    ...([
      ['\\pi', Math.PI],
      ['2\\pi', 2 * Math.PI],
      ['π/2', Math.PI / 2],
      ['\\frac{\\pi}{3}', Math.PI / 3],
    ] as const),
    ...([
      ['3pi', 3 * Math.PI],
      ['9\\pi-4', 9 * Math.PI - 4],
      ['2\\frac{\\pi}{3}', (2 * Math.PI) / 3],
    ] as const),
    ...([
      ['$5$', 5],
      ['\\(5\\)', 5],
      ['\\text{5}', 5],
      ['\\mathbf{5}', 5],
      ['**5**', 5],
      ['`5`', 5],
    ] as const),
    ...([
      ['\\left(5\\right)', 5],
      ['x=5', 5],
      ['x = 5', 5],
      ['\\angle ABC = 30', 30],
      ['≈ 3.14', 3.14],
    ] as const),
    ...([
      ['\\approx 3', 3],
      ['about 5', 5],
      ['approximately 5.', 5],
      ['2+3=5', 5],
      ['"5"', 5],
      ['5!', 5],
    ] as const),
    ...([
      ['5 million', 5e6],
      ['2.5 billion', 2.5e9],
      ['3 thousand', 3000],
      ['$5 million', 5e6],
    ] as const),
  ])('%j is %d', (text, value) => {
    expect(read(text)?.value).toBeCloseTo(value, 12);
  });

  it.each<readonly [string, number, string | null]>([
    ...([
      ['5 cm', 5, 'length'],
      ['5cm', 5, 'length'],
      ['5\\,\\text{cm}', 5, 'length'],
      ['5~\\mathrm{cm}', 5, 'length'],
    ] as const),
    ...([
      ['5\\text{ cm}', 5, 'length'],
      ['5 meters', 5, 'length'],
      ['5 Meters', 5, 'length'],
      ['5 feet', 5, 'length'],
    ] as const),
    ...([
      ['5 cm^2', 5, 'area'],
      ['5 cm²', 5, 'area'],
      ['5\\text{ cm}^2', 5, 'area'],
      ['5 square cm', 5, 'area'],
    ] as const),
    ...([
      ['5 sq. cm', 5, 'area'],
      ['5 cm squared', 5, 'area'],
      ['5 cm^{3}', 5, 'volume'],
      ['5 m³', 5, 'volume'],
    ] as const),
    ...([
      ['5 L', 5, 'volume'],
      ['5 kg', 5, 'mass'],
      ['5 min', 5, 'time'],
      ['5 years', 5, 'months'],
      ['5 m/s', 5, 'speed'],
    ] as const),
    ...([
      ['60 km/h', 60, 'speed'],
      ['9.8 m/s^2', 9.8, 'acceleration'],
      ['9.8 m/s²', 9.8, 'acceleration'],
    ] as const),
    ...([
      ['30°', 30, 'angle'],
      ['30^\\circ', 30, 'angle'],
      ['30^{\\circ}', 30, 'angle'],
      ['30 degrees', 30, 'angle'],
    ] as const),
    ...([
      ['30\\degree', 30, 'angle'],
      ['25 °C', 25, 'temperature C'],
      ['25℃', 25, 'temperature C'],
    ] as const),
    ...([
      ['\\pi \\text{ rad}', Math.PI, 'angle'],
      ['2\\sqrt{3} cm', 2 * Math.sqrt(3), 'length'],
      ['1/2 m', 0.5, 'length'],
    ] as const),
    ...([
      ['$5', 5, 'dollar'],
      ['\\$5', 5, 'dollar'],
      ['-$5', -5, 'dollar'],
      ['$1,234.50', 1234.5, 'dollar'],
    ] as const),
    ...([
      ['5 dollars', 5, 'dollar'],
      ['5 USD', 5, 'dollar'],
      ['€5', 5, 'euro'],
      ['5 €', 5, 'euro'],
      ['£5', 5, 'sterling'],
    ] as const),
    ...([
      ['5 apples', 5, null],
      ['5 red apples', 5, null],
      ['5 people', 5, null],
      ['5个', 5, null],
      ['1e3 m', 1000, 'length'],
    ] as const),
  ])('%j is %d of %s', (text, value, dimension) => {
    expect(read(text)).toEqual({ value: expect.closeTo(value, 12), percent: false, dimension });
  });

  it.each<readonly [string, number]>([
    ...([
      ['50%', 50],
      ['50 %', 50],
      ['50\\%', 50],
      ['50 percent', 50],
      ['12.5 per cent', 12.5],
    ] as const),
    ...([
      ['-3%', -3],
      ['33\\frac{1}{3}\\%', 100 / 3],
      ['50% of them', 50],
      ['50 percentage points', 50],
    ] as const),
  ])('%j is %d percent', (text, value) => {
    expect(read(text)).toEqual({ value: expect.closeTo(value, 12), percent: true, dimension: null });
  });

  it.each([
    ...[
      '',
      ' ',
      'five',
      'NaN',
      'nan',
      'Infinity',
      'inf',
      '∞',
      '\\infty',
      '1/0',
      'x',
      '5x',
      '2y',
      'x^2',
      'a5',
      'B',
    ],
    ...[
      '3-4',
      '3 - 4',
      '3+4',
      '3–4',
      '3:4',
      '3:45',
      '1/2/2020',
      '2020-01-02',
      '1 2',
      '1, 2',
      '1,2,3',
      '(1,2)',
      '(1, 2)',
    ],
    ...[
      '[1,2]',
      '5 or 6',
      '3 < 4',
      '±5',
      '\\pm 5',
      '5 cm 6',
      '1..2',
      '1.2.3',
      '--',
      '.',
      '-',
      '$',
      '%',
      '\\frac{1}',
      '\\sqrt',
    ],
    ...[
      '\\frac',
      '\\boxed{5}',
      '5 \\foo',
      'sqrt',
      '√',
      '()',
      '(',
      ')',
      '5)',
      '(5',
      '^2',
      '2^',
      '*',
      '2*',
      '/',
      'e5',
      '5e',
      '1,23,4',
    ],
    ...['\\sqrt{-1}', '10^1000', 'x = 5, y = 6', 'the 5 of them', '5 = 5 = 5'],
  ])('%j is none', (text) => {
    expect(readQuantity(text)).toBe(null);
  });
});

describe('number_answer', () => {
  it.each<readonly [string, unknown, number | null]>([
    ['\\boxed{5}', '5', 1],
    ['\\boxed{5}', 5, 1],
    ['\\boxed{5 cm}', '5', 1],
    ['\\boxed{5}', '5 cm', 1],
    ['\\boxed{5 cm}', '5 centimeters', 1],
    ['\\boxed{0.05 m}', '5 cm', 1],
    ['\\boxed{5 m}', '5 cm', 0],
    ['\\boxed{5 kg}', '5 cm', 0],
    ['\\boxed{5 cm^2}', '5 cm', 0],
    ['\\boxed{500 mm^2}', '5 cm^2', 1],
    ['\\boxed{60 min}', '1 hour', 1],
    ['\\boxed{\\pi \\text{ rad}}', '180^\\circ', 1],
    ['\\boxed{5 apples}', '5', 1],
    ['\\boxed{5 apples}', '5 pears', 1],
    ['\\boxed{50\\%}', '50', 1],
    ['\\boxed{50\\%}', '0.5', 1],
    ['\\boxed{0.5}', '50%', 1],
    ['\\boxed{50}', '50%', 1],
    ['\\boxed{0.5%}', '50%', 0],
    ['\\boxed{5000}', '50%', 0],
    ['\\boxed{0.5}', '50', 0],
    ['\\boxed{$5}', '5 dollars', 1],
    ['\\boxed{500 cents}', '$5', 1],
    ['\\boxed{€5}', '$5', 0],
    ['\\boxed{\\frac{1}{2}}', '0.5', 1],
    ['\\boxed{2\\sqrt{3}}', '\\sqrt{12}', 1],
    ['\\boxed{3.464}', '2\\sqrt{3}', 0],
    ['\\boxed{1,234}', '1234', 1],
    ['\\boxed{-5}', '5', 0],
    ['\\boxed{5.00001}', '5', 0],
    ['\\boxed{5.000001}', '5', 1],
    ['\\boxed{six}', '5', 0],
    ['\\boxed{}', '5', 0],
    ['\\boxed{5', '5', 0],
    ['<think> 5', '5', 0],
    ['', '5', 0],
    ['<think> 4 </think> The answer is 5 cm.', '5', 1],
    ['<think> 4 </think> 5', '5', 1],
    ['I count 5 and 6', '5', 0],
    ['\\boxed{5} \\boxed{6}', '5', 0],
    ['\\boxed{5}', '\\boxed{5}', 1],
    ['\\boxed{5}', '<answer>5</answer>', 1],
    ['\\boxed{0}', '0', 1],
    ['\\boxed{1e-9}', '0', 0],
    ['\\boxed{5}', 'red', null],
    ['\\boxed{5}', '', null],
    ['\\boxed{5}', null, null],
    ['\\boxed{5}', undefined, null],
    ['\\boxed{5}', Number.NaN, null],
    ['\\boxed{5}', { a: 5 }, null],
  ])('%j for %j: %j', async (completion, answer, reward) => {
    expect(await rewardOf('number_answer', { completion, answer })).toBe(reward);
  });

  it.each<readonly [string, string, unknown, number]>([
    ['3.1', '3.14', 0.05, 1],
    ['3.1', '3.14', '0.05', 1],
    ['3.1', '3.14', 0.04, 1],
    ['3.1', '3.14', 0.03, 0],
    ['3.1', '3.14', 0, 0],
    ['3.1', '3.14', -1, 0],
    ['3.1', '3.14', Number.POSITIVE_INFINITY, 0],
    ['3.1', '3.14', null, 0],
    ['3.1', '3.14', 'much', 0],
    ['3.1', '3.14', '', 0],
  ])('%s for %s with a tolerance of %j: %d', async (given, answer, tolerance, reward) => {
    const one = { completion: `\\boxed{${given}}`, answer, columns: { tolerance } };
    expect(await rewardOf('number_answer', one)).toBe(reward);
  });
});

describe('relaxed_accuracy', () => {
  it.each<readonly [string, string, number]>([
    ['100', '100', 1],
    ['105', '100', 1],
    ['95', '100', 1],
    ['105.1', '100', 0],
    ['94.9', '100', 0],
    ['-105', '-100', 1],
    ['-100', '100', 0],
    ['0', '0', 1],
    ['0.01', '0', 0],
    ['52%', '50%', 1],
    ['0.52', '50%', 1],
    ['2015', '2010', 1],
    ['1,050', '$1,000', 1],
    ['Yes', 'yes', 1],
    ['The United States', 'united states', 1],
    ['France', 'Spain', 0],
    ['', 'Spain', 0],
    ['five', '5', 0],
  ])('%s for %s: %d', async (given, answer, reward) => {
    expect(await rewardOf('relaxed_accuracy', { completion: `\\boxed{${given}}`, answer })).toBe(reward);
  });
});

describe('a number written in any way is the number', () => {
  const digits = (value: number) => String(Math.abs(value));
  const grouped = (value: number, by: string, point: string) => {
    const [whole, part] = digits(value).split('.');
    return whole.replace(/\B(?=(\d{3})+$)/g, by) + (part ? point + part : '');
  };
  const ways: Record<string, (value: number) => string> = {
    plain: digits,
    'with commas': (v) => grouped(v, ',', '.'),
    'with thin spaces': (v) => grouped(v, '\u202f', '.'),
    'in LaTeX': (v) => `$${grouped(v, '{,}', '.')}$`,
    'with a unit': (v) => `${digits(v)}\\,\\text{cm}`,
    'in dollars': (v) => `\\$${grouped(v, ',', '.')}`,
    'in percent': (v) => `${digits(v)}\\%`,
    scientific: (v) => v.toExponential().replace('+', '').replace(/^-/, ''),
    'as a power': (v) => {
      const [mantissa, exponent] = Math.abs(v).toExponential().split('e');
      return `${mantissa} \\times 10^{${Number(exponent)}}`;
    },
    'as a fraction': (v) => `\\frac{${digits(v * 8)}}{8}`,
    'in brackets': (v) => `\\left( ${digits(v)} \\right)`,
    'as text': (v) => `\\text{${digits(v)}}`,
    'as an equation': (v) => `x = ${digits(v)}`,
    'with words': (v) => `${digits(v)} apples`,
  };
  const number = fc.oneof(
    fc.integer({ min: -1e9, max: 1e9 }),
    fc.integer({ min: -1e8, max: 1e8 }).map((n) => n / 8),
  );

  it.each(Object.keys(ways))('%s', (name) => {
    fc.assert(
      fc.property(number, (value) => {
        const text = ways[name](value);
        const signed = value < 0 && name !== 'as an equation' ? `-${text}` : text;
        const want = value < 0 && name === 'as an equation' ? -value : value;
        const found = readQuantity(signed);
        expect(found, signed).not.toBe(null);
        expect(found!.value, signed).toBeCloseTo(want, 3);
        expect(sameQuantity(found!, { value: want, isPercent: false, unit: null }), signed).toBe(true);
      }),
    );
  });

  it('mixed numbers', () => {
    const part = fc
      .integer({ min: 1, max: 999 })
      .chain((b) => fc.tuple(fc.integer({ min: 1, max: b }), fc.constant(b + 1)));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), part, fc.boolean(), (whole, [a, b], negative) => {
        const sign = negative ? '-' : '';
        const want = (negative ? -1 : 1) * (whole + a / b);
        for (const text of [
          `${whole} ${a}/${b}`,
          `${whole}\\frac{${a}}{${b}}`,
          `${whole}\\dfrac{${a}}{${b}}`,
        ]) {
          expect(readQuantity(sign + text)?.value, text).toBeCloseTo(want, 9);
        }
      }),
    );
  });

  it('any text gives a finite number or none', () => {
    const pieces = fc.constantFrom(
      ...'0123456789.,-+*/^(){}[]$%√π½² '.split(''),
      '\\frac',
      '\\sqrt',
      '\\text{',
      'cm',
      'e',
      '°',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces, { maxLength: 40 }).map((all) => all.join('')),
        ),
        (text) => {
          const found = readQuantity(text);
          expect(found === null || Number.isFinite(found.value)).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

it('hostile texts cost nothing', async () => {
  const start = performance.now();
  for (const [, text] of hostileTexts) {
    for (const name of ['number_answer', 'relaxed_accuracy', 'answer_match']) {
      await rewardOf(name, { completion: text, answer: '5' });
      await rewardOf(name, { completion: '\\boxed{5}', answer: text });
    }
  }
  expect((performance.now() - start) / hostileTexts.length).toBeLessThan(500);
});

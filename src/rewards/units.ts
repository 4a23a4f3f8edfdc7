/** Units behind a number: what they measure, and in what proportion. */

export interface Unit {
  /** Units of one dimension can be compared. */
  readonly dimension: string;
  /** In the dimension's base unit. */
  readonly factor: number;
}

/** Names by dimension and factor; metric prefixes and plurals are added below. */
const table: readonly (readonly [dimension: string, factor: number, names: string])[] = [
  ['length', 1, 'm meter metre'],
  ['length', 1e-2, 'cm centimeter centimetre'],
  ['length', 1e-3, 'mm millimeter millimetre'],
  ['length', 1e-6, 'μm micrometer'],
  ['length', 1e-9, 'nm nanometer'],
  ['length', 0.1, 'dm decimeter decimetre'],
  ['length', 1e3, 'km kilometer kilometre'],
  ['length', 0.0254, 'in inch inches'],
  ['length', 0.3048, 'ft foot feet'],
  ['length', 0.9144, 'yd yard'],
  ['length', 1609.344, 'mi mile'],
  ['mass', 1e-3, 'g gram gramme'],
  ['mass', 1e-6, 'mg milligram'],
  ['mass', 1, 'kg kilogram'],
  ['mass', 1e3, 't ton tonne'],
  ['mass', 0.45359237, 'lb pound'],
  ['mass', 0.028349523125, 'oz ounce'],
  ['time', 1, 's sec second'],
  ['time', 1e-3, 'ms millisecond'],
  ['time', 60, 'min minute'],
  ['time', 3600, 'h hr hour'],
  ['time', 86400, 'day'],
  ['time', 604800, 'week'],
  ['months', 1, 'month'],
  ['months', 12, 'year yr'],
  ['volume', 1e-3, 'L l liter litre'],
  ['volume', 1e-6, 'mL ml milliliter millilitre'],
  ['angle', 1, '° deg degree'],
  ['angle', 180 / Math.PI, 'rad radian'],
  ['temperature C', 1, '°C'],
  ['temperature F', 1, '°F'],
  ['temperature K', 1, 'K kelvin'],
  ['speed', 1, 'm/s'],
  ['speed', 1 / 3.6, 'km/h kmh kph'],
  ['speed', 0.44704, 'mph'],
  ['acceleration', 1, 'm/s^2'],
  ['force', 1, 'N newton'],
  ['force', 1e3, 'kN'],
  ['energy', 1, 'J joule'],
  ['energy', 1e3, 'kJ'],
  ['power', 1, 'W watt'],
  ['power', 1e3, 'kW kilowatt'],
  ['voltage', 1, 'V volt'],
  ['current', 1, 'A amp ampere'],
  ['current', 1e-3, 'mA'],
  ['resistance', 1, 'Ω ohm'],
  ['pressure', 1, 'Pa pascal'],
  ['pressure', 1e3, 'kPa'],
  ['frequency', 1, 'Hz hertz'],
  ['frequency', 1e3, 'kHz'],
  ['dollar', 1, '$ dollar USD'],
  ['dollar', 0.01, '¢ cent'],
  ['euro', 1, '€ euro EUR'],
  ['sterling', 1, '£ GBP'],
  ['yen', 1, '¥ yen yuan JPY'],
];

const byName = new Map<string, Unit>();
for (const [dimension, factor, names] of table) {
  for (const name of names.split(' ')) {
    byName.set(name, { dimension, factor });
    if (/^[a-z]{3,}$/.test(name)) byName.set(`${name}s`, { dimension, factor });
  }
}

const powers: Readonly<Record<string, number>> = { square: 2, sq: 2, squared: 2, cubic: 3, cu: 3, cubed: 3 };

/** The unit of this text (`cm`, `square meters`, `cm^2`, `cm squared`), or null where it is none that is known. */
export function readUnit(text: string): Unit | null {
  const known = byName.get(text) ?? byName.get(text.toLowerCase());
  if (known) return known;
  const [, before, name, exponent, after] =
    /^(?:(square|sq|cubic|cu)\.? )?([^\s^\d]+?)(?:\^?\{?([23])\}?)?(?: (squared|cubed))?$/.exec(text) ?? [];
  const base = name === undefined ? undefined : (byName.get(name) ?? byName.get(name.toLowerCase()));
  if (!base) return null;
  const power = Number(exponent ?? powers[before ?? after ?? ''] ?? 1);
  if (power === 1) return base;
  const dimension =
    base.dimension === 'length' ? ['', '', 'area', 'volume'][power] : `${base.dimension}^${power}`;
  return { dimension, factor: base.factor ** power };
}

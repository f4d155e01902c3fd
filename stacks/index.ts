// What another CDK app uses of this one, as the package that `npm run build` makes (build.ts).

export { Millrace, type MillraceProps } from './millrace.ts';
export { SIZES, type Size, type SizeName } from './sizes.ts';
export type { Zone, Zones } from './zones.ts';

// Nominal types over primitives, so that a position is never passed for a sequence number.

declare const brand: unique symbol;

export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

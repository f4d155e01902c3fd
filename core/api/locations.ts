// Use cases over locations: this deployment has one, which is the default. (S2 v1 API, section 6.2.)

import { refused } from '../model/errors.ts';
import type { ServiceSettings } from './basins.ts';
import type { ServiceDeps } from './deps.ts';

export interface LocationInfo {
  readonly name: string;
  /** Whether it is one of the account alone. */
  readonly isPrivate: boolean;
}

export class Locations {
  readonly #meter: ServiceDeps['meter'];
  readonly #own: LocationInfo;

  constructor({ meter }: Pick<ServiceDeps, 'meter'>, { location }: ServiceSettings) {
    this.#meter = meter;
    this.#own = { name: location, isPrivate: false };
  }

  list(): readonly LocationInfo[] {
    this.#meter.operation('list-locations');
    return [this.#own];
  }

  default(): LocationInfo {
    this.#meter.operation('get-default-location');
    return this.#own;
  }

  /** @throws StoreError `invalid` for a location that there is not. */
  setDefault(name: string): LocationInfo {
    if (name !== this.#own.name) throw refused('invalid', `there is no location "${name}"`);
    this.#meter.operation('set-default-location');
    return this.#own;
  }
}

// The Worker: an isolate's settings are read once, and one app serves all its requests.

import type { Hono } from 'hono';
import { failure } from './answers.ts';
import { createApp } from './app.ts';
import { type Bindings, readSettings } from './settings.ts';

let app: { readonly bindings: Bindings; readonly hono: Hono } | undefined;

function appFor(bindings: Bindings): Hono {
  if (app?.bindings !== bindings) app = { bindings, hono: createApp(readSettings(bindings)) };
  return app.hono;
}

export default {
  async fetch(request, bindings, context) {
    try {
      return await appFor(bindings).fetch(request, bindings, context);
    } catch (error) {
      return failure(error);
    }
  },
} satisfies ExportedHandler<Bindings>;

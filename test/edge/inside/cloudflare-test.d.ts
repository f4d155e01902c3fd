// The part of the plugin's module that is used here: its own types are installed only where these tests run.

declare module 'cloudflare:test' {
  export const env: import('../../../edge/settings.ts').Bindings;
  export const SELF: { fetch(url: string, init?: RequestInit): Promise<Response> };
}

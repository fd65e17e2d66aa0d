/** Stands in for the types of the module that the build makes from web-node. */
declare module '*/wasm/web_node.js' {
  export default function init(): Promise<unknown>
  export const Peer: unknown
  export function worker_main(): void
}

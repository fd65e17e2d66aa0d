/** Stands in for the types of the module that the build makes from web-node. */
declare module '*/wasm/web_node.js' {
  const glue: unknown
  export default glue
}

export default {
  // Mermaid names a picture by the clock otherwise, and what begins in one millisecond would be drawn over one another.
  mermaid: { deterministicIds: true },
  // Long code in a table may be broken behind a dot, a bracket or a comma.
  start() {
    for (const code of document.querySelectorAll('article td code')) {
      const parts = code.textContent.split(/(?<=[.,([])(?=\S)/)
      code.replaceChildren(...parts.flatMap((part, at) => at ? [document.createElement('wbr'), part] : [part]))
    }
  }
}

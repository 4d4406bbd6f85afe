/** What a check for accessibility would find. Runs inside the page, and is its last value. */
(() => {
  const flaws = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isSeen = (element) => element.getClientRects().length > 0;
  const show = (element) => element.outerHTML.slice(0, 80);

  for (const landmark of ['header', 'nav', 'main', 'h1']) {
    if (all(landmark).length === 0) flaws.push(`no ${landmark}`);
  }
  if (all('h1').length > 1) flaws.push('more than one h1');
  for (const element of all('button, a, input, progress, [role=img]').filter(isSeen)) {
    if (element.closest('[aria-hidden=true]')) continue;
    const labels = [...(element.labels ?? [])].map((label) => label.textContent);
    const names = [element.getAttribute('aria-label') ?? '', element.textContent, ...labels];
    if (names.every((name) => name.trim() === '')) flaws.push(`no name: ${show(element)}`);
  }
  for (const table of all('table')) {
    if (!table.querySelector('caption')) flaws.push('a table without a caption');
    if (table.querySelector('th:not([scope])')) flaws.push('a heading cell without a scope');
  }
  const ids = all('[id]').map(({ id }) => id);
  if (new Set(ids).size < ids.length) flaws.push('an id twice');
  if (document.documentElement.scrollWidth > innerWidth) flaws.push('wider than the window');

  const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const lightness = (color) => {
    const [r, g, b] = parse(color).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backOf = (element) => {
    if (!element) return 'rgb(255, 255, 255)';
    const { backgroundColor } = getComputedStyle(element);
    return parse(backgroundColor)[3] === 0 ? backOf(element.parentElement) : backgroundColor;
  };
  for (const element of all('body *').filter(isSeen)) {
    const hasText = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '',
    );
    if (!hasText || element.closest(':disabled')) continue;
    const [text, back] = [getComputedStyle(element).color, backOf(element)].map(lightness);
    const contrast = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    if (contrast < 4.5) flaws.push(`contrast ${contrast.toFixed(1)}: ${show(element)}`);
  }
  return flaws;
})();

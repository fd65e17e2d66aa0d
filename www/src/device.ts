/** How this device may call itself, until somebody finds a better name. */
interface Brands {
  brands?: { brand: string }[]
  platform?: string
}

/** In this order: most name others, too. */
const BROWSERS: [RegExp, string][] = [
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bEdg(A|iOS)?\//, 'Edge'],
  [/\bOPR\/|\bOPT\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\bChromium\//, 'Chromium'],
  [/Chrome\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
]

const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac(intosh| OS)?\b/, 'Mac'],
  [/\bLinux\b/, 'Linux'],
]

const firstOf = (list: [RegExp, string][], text: string) =>
  list.find(([pattern]) => pattern.test(text))?.[1]

/** `Chrome on Linux`: what browsers say of themselves, which is rarely wrong and never exact. */
export function deviceName(
  agent = navigator.userAgent,
  hints = (navigator as { userAgentData?: Brands }).userAgentData,
  touches = navigator.maxTouchPoints,
): string {
  // Those that call themselves Chrome everywhere name themselves here.
  const brand = hints?.brands
    ?.map((one) => one.brand)
    .find((name) => /Brave|Vivaldi|Opera/.test(name))
  const browser = brand ?? firstOf(BROWSERS, agent) ?? 'Browser'
  const told = hints?.platform === 'macOS' ? 'Mac' : hints?.platform
  const system = firstOf(SYSTEMS, told ?? '') ?? firstOf(SYSTEMS, agent)
  // A tablet of Apple's says that it is a Mac, but no Mac can be touched in five places.
  const really = system === 'Mac' && touches >= 5 ? 'iPad' : system
  return really ? `${browser} on ${really}` : browser
}

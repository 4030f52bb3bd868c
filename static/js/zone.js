// Guesses the viewer's time zone once, for the server to show times in. Choosing another one wins.
const COOKIE = "handrail-tz";
const YEAR = 31_536_000;

if (!document.cookie.split("; ").some((pair) => pair.startsWith(`${COOKIE}=`))) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `${COOKIE}=${zone}; path=/; max-age=${YEAR}; SameSite=Lax`;
}

export default function Room(_: { route: string }) {
  return <p>…</p>;
}

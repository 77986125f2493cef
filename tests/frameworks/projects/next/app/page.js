export default function Page() {
  return <p>next-shop</p>;
}

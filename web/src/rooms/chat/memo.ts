/** A component that is drawn anew only where one of its properties is another. */
import { Component, h, type ComponentChild, type FunctionComponent } from "preact";

export function memo<P extends object>(Inner: FunctionComponent<P>): FunctionComponent<P> {
  class Remembered extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const now = this.props as Readonly<P>;
      return (Object.keys(next) as (keyof P)[]).some((key) => next[key] !== now[key]);
    }
    override render(): ComponentChild {
      return h(Inner, this.props as P);
    }
  }
  return Remembered as unknown as FunctionComponent<P>;
}

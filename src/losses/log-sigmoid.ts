/** log σ with the right derivative everywhere. */
import { add, exp, log, maximum, minimum, neg, sub, type Tensor } from "../tensor/index.ts";

/**
 * log σ(x) = min(x, 0) − log(1 + e^(−|x|)), without overflow on either side.
 *
 * |x| is written as max(x, −x): at x = 0, where every comparison of equal scores starts, its derivative is then 0 and that
 * of the whole is ½. (A one-sided derivative of |x| there would double it.)
 */
export function logSigmoid(x: Tensor): Tensor {
  return sub(minimum(x, 0), log(add(exp(neg(maximum(x, neg(x)))), 1)));
}

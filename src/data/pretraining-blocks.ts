import { SparError } from "../internal/errors.ts";
import { makeEpochOrder } from "./epoch-order.ts";
import type { TextExample } from "./formats/example.ts";
import type { IndexedRows } from "./indexed-rows.ts";
import type { TokeniseContext } from "./tokenise-content.ts";
import { tokeniseText } from "./tokenise-text.ts";

/** Where a stream of blocks stands: the next token is number `offset` of the document at `position` of the epoch's order. */
export type BlockCursor = { epoch: number; position: number; offset: number };

/** `cursor` stands behind the block: a stream started there goes on with the next one. */
export type TokenBlock = { inputIds: number[]; cursor: BlockCursor };

export type BlockStreamOptions = {
  examples: IndexedRows<TextExample>;
  context: TokeniseContext;
  /** Tokens a block. */
  blockLength: number;
  seed: number;
  /** Documents in random order, another one each epoch (default), or as they stand. */
  shuffle?: boolean;
  /** End after so many epochs; default: never. */
  epochs?: number;
  /** Also give the last tokens when they do not fill a block (needs `epochs`; for evaluation). */
  keepTail?: boolean;
  cursor?: BlockCursor;
};

/**
 * Documents tokenised as they come, each ending in EOS, strung together and cut into blocks. Only one document
 * is held at a time. What is left at the end of an epoch begins the next epoch's first block.
 */
export async function* streamBlocks(options: BlockStreamOptions): AsyncGenerator<TokenBlock> {
  const { examples, context, blockLength, seed, shuffle = true, epochs = Infinity, keepTail = false } = options;
  if (examples.count === 0) throw new SparError("data/empty", "packing text into blocks: there are no documents");
  let { epoch, position, offset } = options.cursor ?? { epoch: 0, position: 0, offset: 0 };
  let block: number[] = [];
  let tokensSeen = 0;
  for (; epoch < epochs; epoch++) {
    const order = makeEpochOrder({ count: examples.count, seed, epoch, samplingStrategy: shuffle ? "random" : "sequential" });
    for (; position < order.length; position++) {
      const { inputIds } = tokeniseText(await examples.read(order[position]!), context);
      tokensSeen += inputIds.length;
      while (offset < inputIds.length) {
        const end = Math.min(inputIds.length, offset + blockLength - block.length);
        for (let t = offset; t < end; t++) block.push(inputIds[t]!);
        offset = end;
        if (block.length === blockLength) {
          yield { inputIds: block, cursor: { epoch, position, offset } };
          block = [];
        }
      }
      offset = 0;
    }
    position = 0;
    if (tokensSeen === 0) throw new SparError("data/empty", `packing text into blocks: ${examples.count} documents hold no tokens`);
  }
  if (keepTail && block.length > 0) yield { inputIds: block, cursor: { epoch, position, offset } };
}

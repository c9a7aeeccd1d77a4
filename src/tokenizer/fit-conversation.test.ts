import { expect, test } from "vitest";
import type { ChatMessage } from "./chat-template.ts";
import { fitConversation } from "./fit-conversation.ts";

/** A letter a token; a template writes one id more a message. */
const letters = {
  hasChatTemplate: true,
  encode: (text: string) => Array.from(text, (letter) => letter.charCodeAt(0)),
  encodeChat: (messages: readonly ChatMessage[]) => messages.flatMap(({ content }) => [0, ...letters.encode(String(content))]),
};
const plain = { ...letters, hasChatTemplate: false };
const say = (role: string, content: string): ChatMessage => ({ role, content });
const talk = [say("system", "s"), say("user", "aa"), say("assistant", "bb"), say("user", "cc"), say("assistant", "dd"), say("user", "e")];

test("nothing is left out of what fits", () => {
  expect(fitConversation(letters, talk, 16)).toEqual({ ids: letters.encodeChat(talk), kept: talk, leftOut: 0 });
  expect(fitConversation(plain, talk, 10).ids).toEqual(letters.encode("saabbccdde"));
});

test("the oldest turns go first, the system message stays", () => {
  expect(fitConversation(letters, talk, 15)).toEqual({
    ids: letters.encodeChat([talk[0], ...talk.slice(3)]),
    kept: [talk[0], ...talk.slice(3)],
    leftOut: 1,
  });
  expect(fitConversation(letters, talk, 4)).toMatchObject({ kept: [talk[0], talk[5]], leftOut: 2 });
});

test("a last message that is too long by itself leaves all as it is", () => {
  const long = [...talk.slice(0, 5), say("user", "much too long")];
  expect(fitConversation(letters, long, 8)).toEqual({ ids: letters.encodeChat(long), kept: long, leftOut: 0 });
});

test("a conversation without a user's turn in it ends too", () => {
  const answers = [say("assistant", "aa"), say("assistant", "bb"), say("assistant", "c")];
  expect(fitConversation(letters, answers, 2)).toMatchObject({ kept: [answers[2]], leftOut: 1 });
});

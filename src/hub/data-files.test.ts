import { describe, expect, test } from "vitest";
import { findDataFiles, parseCardConfigs } from "./data-files.ts";

const infer = (paths: string[], config?: string) => Object.fromEntries(findDataFiles(paths, [], config, "org/x").splits);

describe("without a card", () => {
  test("shards name their split", () => {
    expect(
      infer([
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "data/test_sft-00000-of-00001-abc.parquet",
        "README.md",
      ]),
    ).toEqual({
      train: ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
      test_sft: ["data/test_sft-00000-of-00001-abc.parquet"],
    });
  });

  test("words in folder or file names, not inside other words", () => {
    expect(infer(["train/a.jsonl", "dev/b.jsonl", "train/test.jsonl"])).toEqual({
      train: ["train/a.jsonl", "train/test.jsonl"],
      validation: ["dev/b.jsonl"],
    });
    expect(infer(["my_train.csv", "my-test.csv", "training.txt"])).toEqual({
      train: ["my_train.csv", "training.txt"],
      test: ["my-test.csv"],
    });
    expect(infer(["contest.jsonl", "trained.jsonl", "dataset_infos.json", ".hidden.json"])).toEqual({
      train: ["contest.jsonl", "trained.jsonl"],
    });
    expect(infer(["train.jsonl.gz", "model.bin"])).toEqual({ train: ["train.jsonl.gz"] });
  });

  test("a config is a folder", () => {
    expect(infer(["a/train.json", "b/train.json"], "b")).toEqual({ train: ["b/train.json"] });
    expect(() => infer(["a/train.json"], "c")).toThrow(/no config "c"/);
    expect(() => infer(["picture.png"])).toThrow(/no data files/);
  });
});

describe("with a card", () => {
  const find = (card: unknown, paths: string[], config?: string) => findDataFiles(paths, parseCardConfigs(card), config, "org/x");

  test("every way of writing data_files", () => {
    const paths = ["a.json", "b.json", "sub/c.json"];
    const splitsOf = (data_files: unknown) => Object.fromEntries(find({ configs: [{ config_name: "d", data_files }] }, paths).splits);
    expect(splitsOf("*.json")).toEqual({ train: ["a.json", "b.json"] });
    expect(splitsOf(["a.json", "**/c.json"])).toEqual({ train: ["a.json", "sub/c.json"] });
    expect(splitsOf({ train: "a.json", test: ["b.json"] })).toEqual({ train: ["a.json"], test: ["b.json"] });
    expect(splitsOf([{ split: "test", path: "{a,b}.json" }])).toEqual({ test: ["a.json", "b.json"] });
    expect(splitsOf("[!a].json")).toEqual({ train: ["b.json"] });
    expect(splitsOf("none-*.json")).toEqual({ train: [] });
  });

  test("the default config, or an error that lists them", () => {
    const two = [
      { config_name: "x", data_dir: "x" },
      { config_name: "y", data_dir: "./y/" },
    ];
    const paths = ["x/train.json", "y/train.json", "y/test.json"];
    expect(() => find({ configs: two }, paths)).toThrow(/expected one of x, y/);
    expect(find({ configs: [two[0], { ...two[1], default: true }] }, paths)).toMatchObject({ config: "y" });
    expect(Object.fromEntries(find({ configs: two }, paths, "y").splits)).toEqual({ train: ["y/train.json"], test: ["y/test.json"] });
    expect(find({ license: "mit" }, paths).config).toBe("default");
    expect(parseCardConfigs("nonsense")).toEqual([]);
  });
});

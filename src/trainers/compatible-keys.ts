/**
 * Keys of TRL and Transformers that are not in the methods' schemas, so that a TRL recipe runs unchanged: other names
 * of the same thing, keys that mean nothing on this engine, and keys of features that are not there, which pass only
 * at the value that leaves the feature off.
 */

/** Other and older names. */
export const keyAliases: { readonly [alias: string]: string } = {
  torch_dtype: "dtype",
  evaluation_strategy: "eval_strategy",
  max_seq_length: "max_length",
  config: "dataset_config",
  resume: "resume_from_checkpoint",
  per_gpu_train_batch_size: "per_device_train_batch_size",
  per_gpu_eval_batch_size: "per_device_eval_batch_size",
  tokenizer_name: "tokenizer_name_or_path",
  target: "kl_target",
  horizon: "kl_horizon",
  init_kl_coef: "kl_coef",
  cliprange_reward: "score_clip",
};

/** Keys that TRL lets be null, in the sense of its default. */
export const defaultWhenNull: ReadonlySet<string> = new Set(["output_dir", "dtype", "gradient_checkpointing"]);

/** Keys about precision, devices, processes, kernels, the hub and Python's own machinery. */
export const ignoredKeys: ReadonlySet<string> = new Set(
  `bf16 fp16 bf16_full_eval fp16_full_eval tf32 fp16_opt_level half_precision_backend fp16_backend
  attn_implementation use_liger_kernel liger_kernel_config torch_compile torch_compile_backend torch_compile_mode torchdynamo
  torch_empty_cache_steps use_cache use_cpu no_cuda use_mps_device jit_mode_eval use_ipex tpu_num_cores tpu_metrics_debug
  deepspeed fsdp fsdp_config fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap accelerator_config parallelism_config
  mp_parameters local_rank world_size average_tokens_across_devices dispatch_batches split_batches ray_scope ignore_bias_buffers
  ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout
  dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
  dataloader_multiprocessing_context dataloader_in_order dataset_num_proc dataset_batch_size dataset_kwargs
  dataset_streaming streaming remove_unused_columns label_names length_column_name padding_free pad_to_multiple_of
  gradient_checkpointing_kwargs gradient_checkpointing_use_reentrant activation_checkpointing activation_checkpointing_kwargs
  activation_offloading optim_args trust_remote_code
  push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision
  push_to_hub_model_id push_to_hub_organization push_to_hub_token
  log_level log_level_replica log_on_each_node logging_nan_inf_filter disable_tqdm
  include_num_input_tokens_seen include_tokens_per_second include_for_metrics include_inputs_for_metrics
  trackio_bucket_id trackio_static_space_id
  prediction_loss_only eval_do_concat_batches eval_use_gather_object eval_accumulation_steps batch_eval_metrics
  save_on_each_node save_safetensors enable_jit_checkpoint restore_callback_states_from_checkpoint past_index
  full_determinism skip_memory_metrics debug do_train do_eval do_predict use_legacy_prediction_loop exp_name
  lora_r lora_alpha lora_dropout lora_target_modules lora_target_parameters lora_modules_to_save lora_task_type
  use_rslora use_dora bnb_4bit_quant_type use_bnb_nested_quant bnb_4bit_quant_storage`
    .trim()
    .split(/\s+/),
);

/** TRL 0.12.2 computes these of PPO from other keys, whatever a recipe says; elsewhere they would be a mistake. */
export const ignoredPPOKeys: ReadonlySet<string> = new Set(
  "num_total_batches micro_batch_size local_batch_size batch_size local_mini_batch_size mini_batch_size".split(" "),
);

type OffRule = { isOff: (value: unknown) => boolean; off: string; feature: string };

const isEmpty = (value: unknown): boolean =>
  value === null || value === false || value === 0 || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

const off = (feature: string, text = "false"): OffRule => ({ isOff: isEmpty, off: text, feature });

/** Keys of features that this version lacks: using one is an error, leaving it off is not. */
export const unavailableKeys: { readonly [key: string]: OffRule } = {
  use_peft: off("LoRA training"),
  load_in_8bit: off("quantised training"),
  load_in_4bit: off("quantised training"),
  optim: {
    // AdamW with its state kept or computed otherwise is AdamW here.
    isOff: (value) => value === null || (typeof value === "string" && value.includes("adamw")),
    off: "adamw_torch",
    feature: "an optimizer other than AdamW",
  },
  optim_target_modules: off("GaLore-like optimizers", "null"),
  adafactor: off("Adafactor"),
  lr_scheduler_kwargs: off("schedules with settings of their own", "null"),
  label_smoothing_factor: off("label smoothing", "0"),
  neftune_noise_alpha: off("NEFTune", "null"),
  auto_find_batch_size: off("searching the batch size"),
  eval_delay: off("delayed evaluation", "0"),
  load_best_model_at_end: off("picking the best checkpoint"),
  metric_for_best_model: off("picking the best checkpoint", "null"),
  greater_is_better: { isOff: () => true, off: "null", feature: "picking the best checkpoint" },
  ignore_data_skip: off("resuming without skipping data"),
  model_init_kwargs: off("settings of Transformers' from_pretrained", "null"),
  router_aux_loss_coef: off("mixture-of-experts models", "null"),
  truncation_mode: { isOff: (value) => value === "keep_start", off: "keep_start", feature: "cutting texts at their start" },
  loss_type: { isOff: (value) => value === "nll" || value === "chunked_nll", off: "nll", feature: "a loss other than nll" },
};

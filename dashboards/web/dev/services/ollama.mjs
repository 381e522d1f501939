// What a made-up machine's Ollama says.

const GiB = 1024 ** 3;

export default {
  feed: "models",
  off: { ollama: ["not_configured", "nothing listens on 127.0.0.1:11434, and no server is named"] },
  message: ({ interval, second, full }) => ({
    type: "model_update",
    interval_seconds: interval,
    ...models(second, full),
  }),
};

const STOCK = [
  ["llama3.1:8b", 4.7, "8.0B", "Q4_K_M"],
  ["qwen2.5-coder:7b", 4.4, "7.6B", "Q4_K_M"],
  ["deepseek-r1:14b", 9.0, "14.8B", "Q4_K_M"],
  ["mistral-small:24b", 14.3, "23.6B", "Q4_K_M"],
  ["phi3.5:3.8b", 2.2, "3.8B", "Q4_0"],
  ["nomic-embed-text:latest", 0.27, "137M", "F16"],
];

function digest(name) {
  return Buffer.from(name.padEnd(32, ".")).toString("hex").slice(0, 64);
}

function engine(second, host, name, pid) {
  const busy = second % 20 < 12 ? 1 : 0;
  return {
    host,
    models: [name],
    pid,
    started_at: new Date(Date.now() - 3_600_000).toISOString(),
    program: "llama-server",
    orphaned: false,
    state: "ready",
    detail: null,
    memory_bytes: Math.round(0.9 * GiB),
    cpu_seconds: 120 + second,
    requests: busy,
    slots: 2,
    slots_busy: busy,
    context_length: 8192,
    context_used: busy * Math.round(300 + 40 * (second % 20)),
    gpu_layers: 33,
    cache_type: null,
    embedding: false,
    tokens_per_second: busy * (41 + 3 * Math.sin(second)),
    tokens_per_second_minute: 24.6,
  };
}

function orphan(host) {
  return {
    ...engine(0, host, "mistral-small:24b", 3977),
    orphaned: true,
    state: "unknown",
    slots_busy: null,
    tokens_per_second: null,
    memory_bytes: Math.round(14.1 * GiB),
  };
}

function models(second, full) {
  const here = "127.0.0.1:11434";
  const loaded = (name, size, onGpu, more) => ({
    name,
    host: here,
    digest: digest(name),
    state: "loaded",
    memory_usage: Math.round(size * GiB),
    memory_vram: Math.round(size * onGpu * GiB),
    memory_ram: Math.round(size * (1 - onGpu) * GiB),
    idle_minutes: 0,
    always_loaded: false,
    unloads_in_seconds: null,
    parameter_size: "8.0B",
    quantization: "Q4_K_M",
    context_length: 8192,
    ...more,
  });
  const idle = (second + 94) % 300;
  const loading = second % 40;
  const hours = (ago) => new Date(Date.now() - ago * 3_600_000).toISOString();
  const answering = {
    host: here,
    url: `http://${here}/`,
    state: "answering",
    since: hours(31),
    version: "0.33.0",
    reason: null,
    detail: null,
  };
  return {
    loaded_models: [
      loaded("llama3.1:8b", 9, 1, { always_loaded: true, idle_minutes: (second % 20) / 60, context_length: 16_384 }),
      loaded("qwen2.5-coder:7b", 6.67, 1, {
        parameter_size: "7.6B",
        idle_minutes: idle / 60,
        unloads_in_seconds: 300 - idle,
      }),
      ...(full
        ? [
            loaded("<img src=x onerror=alert(1)>/a-model-with-quite-a-long-name:70b-instruct-q4_K_M", 41.2, 0.44, {
              state: "stopping",
              parameter_size: null,
            }),
          ]
        : []),
    ],
    installed_models: STOCK.map(([name, size, parameter_size, quantization]) => ({
      name,
      host: here,
      digest: digest(name),
      loaded: ["llama3.1:8b", "qwen2.5-coder:7b"].includes(name),
      size: Math.round(size * GiB),
      parameter_size,
      quantization,
      remote: false,
    })),
    memory_usage: full
      ? { current_gb: null, vram_gb: null, ram_gb: null, max_gb: null }
      : { current_gb: 15.67, vram_gb: 15.67, ram_gb: 0, max_gb: null },
    hosts: full
      ? [
          answering,
          {
            host: "gpu2.lan:11434",
            url: "http://gpu2.lan:11434/",
            state: "away",
            since: hours(0.2),
            version: null,
            reason: "unreachable",
            detail: "gpu2.lan:11434: connection refused",
          },
        ]
      : [answering],
    engines: [engine(second, here, "llama3.1:8b", 4101), ...(full ? [orphan(here)] : [])],
    engine_work: [],
    energy: {
      price_per_kwh: 0.32,
      currency: "EUR",
      devices: [{ device: "GPU-0", rest_watts: 21, rest_cost_per_day: 0.16, shared_joules: 0 }],
      models: [
        {
          host: here,
          model: "llama3.1:8b",
          joules: 81_000,
          generated_tokens: 41_000,
          watt_hours_per_1000_tokens: 0.42,
          watt_hours_per_1000_tokens_above_rest: 0.37,
          cost_per_1000_tokens: 0.000134,
        },
      ],
    },
    controls: {
      enabled: true,
      jobs: [
        {
          id: 1,
          host: here,
          model: "deepseek-r1:14b",
          action: "load",
          requested_at: hours(loading / 3600),
          state: loading < 25 ? "running" : "done",
          position: null,
          seconds: Math.min(loading, 25),
          error: null,
        },
        ...(full
          ? [
              {
                id: 2,
                host: here,
                model: "mistral-small:24b",
                action: "load",
                requested_at: hours(0.1),
                state: "failed",
                position: null,
                seconds: 1.4,
                error: {
                  code: "model_failed",
                  message: "model requires more system memory (71 GiB) than is available (48 GiB)",
                  hint: "",
                },
              },
            ]
          : []),
      ],
    },
    missing: full
      ? { memory_usage: { reason: "unreachable", detail: "gpu2.lan:11434 does not answer, so the sum is not known" } }
      : {},
  };
}

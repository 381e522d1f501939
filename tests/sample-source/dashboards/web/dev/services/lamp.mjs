// What a made-up machine's lamp says.

export default {
  feed: "lamp",
  off: { lamp: ["not_configured", "no lamp is named: set sources.lamp.path"] },
  message: ({ second }) => ({ type: "lamp_update", watts: 7 + (second % 2), missing: {} }),
};

// Every text that a person reads. Other languages come as catalogues beside this one.

export const LOCALE = "en";

const LABELS = {
  standing: "standing",
  walking: "walking",
  sitting: "sitting",
  bending: "bending",
  lying: "lying",
  fall: "Fall",
  long_lie: "Lying for long",
  getting_up: "getting up",
  pushing_fighting: "Pushing or fighting",
  cannot_see: "Camera cannot see",
  occupied: "somebody is in the room",
  out_of_sight: "Somebody is there whom nothing finds",
  sat_up: "sitting up in bed",
  out_of_bed: "Out of bed",
  motionless: "Not moving for long",
  wandering: "walking about for long",
};

// Why the camera cannot see, by the numbers of `privcam_core.types.sight`.
const SIGHTS = [
  "not measured yet", "clear", "too dark", "overexposed", "too little contrast", "too noisy", "out of focus",
  "covered", "the same picture again and again", "camera moved",
];

const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });

export const text = {
  appName: "privcam console",
  allRooms: "All rooms",
  noRooms: "No camera yet. Rooms appear here by themselves as soon as the cloud receives a camera.",
  noConsole: "No answer from the console. Trying again …",
  open: (room) => `Open ${room}`,
  picture: (room, people) => `Drawing of ${room}: ${people}`,
  people: (count) => (count === 1 ? "1 person" : `${count} people`),
  // Nobody in view is no empty room while somebody is there whom nothing finds.
  counted: (count, unseen) => text.people(count) + (unseen ? `, ${unseen} more not found` : ""),
  label: (label) => LABELS[label] ?? label.replaceAll("_", " "),
  sight: (number) => SIGHTS[number] ?? `state ${number}`,
  seconds: (seconds) => (seconds < 90 ? `${Math.floor(seconds)} s` : `${Math.floor(seconds / 60)} min`),
  percent: (parts) => `${(parts / 10).toFixed(1)} %`,
  subject: (id) => `Person ${id}`,

  states: {
    connecting: "CONNECTING",
    lost: "NO CONNECTION",
    offline: "OFFLINE",
    stale: "OLD PICTURE",
    blind: "CANNOT SEE",
    paused: "PAUSED",
    live: "LIVE",
    replay: "RECORDING",
  },
  details: {
    connecting: () => "waiting for the console",
    lost: (age) => `the console does not answer; what you see is ${age} old`,
    offline: (age) => (age ? `no camera since ${age}` : "nothing has come from this camera yet"),
    stale: (age) => `nothing has come for ${age}; this is not what happens now`,
    blind: (reason) => `${reason}; whoever is there may go unnoticed`,
    paused: () => "you stopped the picture; this is not what happens now",
  },
  announce: (room, state, detail) => `${room}: ${state}${detail ? `, ${detail}` : ""}`,
  replay: "a recording, nothing of it happens now",
  noRecognition: "NO RECOGNITION: no report comes, so a fall would not be noticed",

  panel: {
    verdict: "Privacy check",
    passed: "passed",
    withheldVerdict: "WITHHELD: this frame may not leave the edge",
    withheld: "Picture withheld",
    epsilon: "Privacy budget ε",
    noAccounting: "not accounted",
    budget: (epsilon) => (epsilon < 1000 ? epsilon.toFixed(2) : compact.format(epsilon)),
    people: "People",
    sight: "Camera sees",
    time: "Camera time",
    bits: "Costs",
    kbits: (bits) => `${(bits / 1000).toFixed(1)} kbit/s`,
    events: "Now",
    earlier: "Earlier, since you opened this page",
    none: "Nothing is reported.",
    confidence: (parts) => `${Math.round(parts / 10)} % sure`,
    since: (clock) => `since ${clock}`,
  },
  pause: "Pause",
  resume: "Continue",
  keys: "Keys: P pauses, Esc goes back to all rooms.",
};

// The live camera. One frame at a time goes to the program that serves the page; frames that the
// camera gives before the answer comes are dropped. Gradio runs this with `element`, the HTML of
// live.html.j2, and `server`, whose function `look` takes a frame and the neutral face or null.

// Longest side of a frame that is sent, in pixels: at more, the face detector searches twice.
const LONGEST = 426;
const [SURE, NOT_SURE] = ["#3dd68c", "#ffc53d"];
const NO_CAMERA = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it, then start again.",
  NotFoundError: "This browser has no camera. Use a picture instead.",
  NotReadableError: "The camera cannot be read; perhaps another program is using it.",
  TypeError: "A browser gives its camera only to pages on the same machine (127.0.0.1) or over https.",
};

const [video, view, button, compare, status, charts] = [
  "video", "canvas", "button", ".neutral", ".say", ".result",
].map((selector) => element.querySelector(selector));
const sent = document.createElement("canvas");
let shown = null; // the frame that was answered last, as it was sent
let neutral = null; // the frame with the neutral face

function say(text) {
  if (status.textContent !== text) status.textContent = text; // a screen reader reads each change
}

async function start() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } } });
  } catch (error) {
    return say(NO_CAMERA[error.name] ?? `The camera does not start: ${error.message}`);
  }
  stream.getTracks()[0].onended = () => stop("The camera has stopped.");
  video.srcObject = stream;
  button.textContent = "Stop the camera";
  try {
    await video.play();
    while (video.srcObject === stream) {
      await new Promise((next) => video.requestVideoFrameCallback(next));
      const frame = await createImageBitmap(video);
      const picture = smaller(frame);
      const answer = await server.look([picture, neutral]);
      if (video.srcObject !== stream) return;
      show(frame, answer);
      shown = picture;
    }
  } catch (error) {
    if (video.srcObject === stream) stop("The program that serves this page does not answer.");
  }
}

function stop(why) {
  video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  view.width = 0; // wipes it
  take(null);
  compare.disabled = true;
  charts.replaceChildren();
  button.textContent = "Start the camera";
  say(why);
}

function take(picture) {
  neutral = picture;
  compare.textContent = picture ? "Forget the neutral face" : "Use as neutral face";
}

function smaller(frame) {
  const scale = Math.min(1, LONGEST / Math.max(frame.width, frame.height));
  sent.width = Math.round(frame.width * scale);
  sent.height = Math.round(frame.height * scale);
  sent.getContext("2d").drawImage(frame, 0, 0, sent.width, sent.height);
  return sent.toDataURL("image/jpeg", 0.9);
}

function show(frame, { faces, html }) {
  charts.innerHTML = html;
  compare.disabled = faces.length !== 1 && !neutral;
  const on = neutral ? "Every face is compared with the neutral one." : "The camera is on.";
  say(faces.length ? on : "No face is found.");
  [view.width, view.height] = [frame.width, frame.height];
  const zoom = frame.width / sent.width;
  const pen = view.getContext("2d");
  pen.scale(-1, 1); // mirrored
  pen.drawImage(frame, -frame.width, 0);
  pen.scale(-1, 1);
  frame.close();
  const pixel = view.width / view.clientWidth; // one on the screen
  const size = Math.min(15, view.clientWidth / 28) * pixel;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.lineWidth = 2.5 * pixel;
  for (const { box, label, sure } of faces) {
    const [x, y, width, height] = box.map((value) => value * zoom);
    const left = view.width - x - width;
    pen.strokeStyle = pen.fillStyle = sure ? SURE : NOT_SURE;
    pen.strokeRect(left, y, width, height);
    const room = pen.measureText(label).width + size;
    const [side, top] = [Math.min(left, view.width - room), Math.max(0, y - 1.5 * size)];
    pen.fillRect(side, top, room, 1.5 * size);
    pen.fillStyle = "black";
    pen.fillText(label, side + size / 2, top + 1.1 * size);
  }
}

button.onclick = () => (video.srcObject ? stop("The camera is off.") : start());
compare.onclick = () => take(neutral ? null : shown);
// another tab of the page
new ResizeObserver(() => video.srcObject && !element.offsetParent && stop("The camera is off.")).observe(element);

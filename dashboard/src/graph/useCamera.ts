import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { fit, holds, home, reveal, sight, zoom, type Box, type Camera, type Size } from "./camera";
import type { Point } from "./layered";

/** How much around the window is drawn, in windows: so far one can pan before anything has to be drawn anew. */
const AHEAD = 0.6;

/** What is drawn now. It changes seldom: panning and zooming move what is drawn, and that is all they do. */
export interface Drawn {
  box: Box;
  k: number;
}

export interface CameraHandle {
  box: RefObject<HTMLDivElement | null>;
  world: RefObject<SVGGElement | null>;
  drawn: Drawn;
  fit: () => void;
  zoom: (factor: number) => void;
  reveal: (box: Box) => void;
  /** Whether the last press was the end of a drag, and no click. */
  wasDragged: () => boolean;
}

/** The level of detail that a scale asks for: what is drawn changes when it does. */
export function detail(k: number): 0 | 1 | 2 {
  return k < 0.22 ? 0 : k < 0.38 ? 1 : 2;
}

/**
 * Panning by dragging and by two fingers, zooming by the wheel, by pinching and by buttons. With a `start`, what is too
 * large to be read as a whole is shown from there on at first.
 */
export function useCamera(size: Size, start: Point | null): CameraHandle {
  const box = useRef<HTMLDivElement>(null);
  const world = useRef<SVGGElement>(null);
  const camera = useRef<Camera>({ x: 0, y: 0, k: 1 });
  const room = useRef<Size>({ width: 0, height: 0 });
  const isTouched = useRef(false);
  /** What was asked to be in sight, until somebody moves. */
  const wanted = useRef<Box | null>(null);
  const dragged = useRef(false);
  const frame = useRef(0);
  const [drawn, setDrawn] = useState<Drawn>({ box: { left: 0, top: 0, right: 0, bottom: 0 }, k: 1 });

  const show = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const { x, y, k } = camera.current;
      world.current?.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
      setDrawn((before) => {
        const isSame = detail(before.k) === detail(k) && holds(before.box, sight(camera.current, room.current, 0));
        // Zoomed in far, what was drawn holds far more than is in sight.
        const isTooMuch = before.k < k / 2;
        return isSame && !isTooMuch ? before : { box: sight(camera.current, room.current, AHEAD), k };
      });
    });
  }, []);

  const move = useCallback((next: Camera) => { camera.current = next; show(); }, [show]);
  const farthest = useCallback(() => fit(size, room.current).k, [size]);
  const fitAll = useCallback(() => {
    isTouched.current = true;
    wanted.current = null;
    move(fit(size, room.current));
  }, [move, size]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      room.current = { width: element.clientWidth, height: element.clientHeight };
      if (!isTouched.current) camera.current = start ? home(size, room.current, start) : fit(size, room.current);
      if (wanted.current) camera.current = reveal(camera.current, wanted.current, room.current);
      show();
    });
    watch.observe(element);
    return () => { watch.disconnect(); };
  }, [size, start, show]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return listen(element, {
      pan: (by) => {
        isTouched.current = true;
        wanted.current = null;
        const { x, y, k } = camera.current;
        move({ x: x + by.x, y: y + by.y, k });
      },
      zoom: (at, factor) => {
        isTouched.current = true;
        wanted.current = null;
        move(zoom(camera.current, at, factor, farthest()));
      },
      dragged: (was) => { dragged.current = was; },
    });
  }, [farthest, move]);

  return {
    box,
    world,
    drawn,
    fit: fitAll,
    zoom: (factor) => {
      isTouched.current = true;
      const { width, height } = room.current;
      move(zoom(camera.current, { x: width / 2, y: height / 2 }, factor, farthest()));
    },
    reveal: useCallback((of: Box) => {
      wanted.current = of;
      // Before anybody knows how large the window is, it waits.
      if (room.current.width > 0) move(reveal(camera.current, of, room.current));
    }, [move]),
    wasDragged: () => dragged.current,
  };
}

interface Moves {
  pan: (by: Point) => void;
  zoom: (at: Point, factor: number) => void;
  dragged: (was: boolean) => void;
}

/** A press that moves less than this is a click. */
const CLICK = 4;

function listen(element: HTMLElement, moves: Moves): () => void {
  const down = new Map<number, Point>();
  let way = 0;
  const spot = (event: MouseEvent): Point => {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const press = (event: PointerEvent) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, spot(event));
    way = 0;
    moves.dragged(false);
  };
  const drag = (event: PointerEvent) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = spot(event);
    way += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (way > CLICK) {
      moves.dragged(true);
      if (!element.hasPointerCapture(event.pointerId)) element.setPointerCapture(event.pointerId);
    }
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const factor = distance(now, other) / Math.max(1, distance(before, other));
      moves.zoom({ x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }, factor);
    } else if (way > CLICK) {
      moves.pan({ x: now.x - before.x, y: now.y - before.y });
    }
    down.set(event.pointerId, now);
  };
  const lift = (event: PointerEvent) => { down.delete(event.pointerId); };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    // A wheel moves in steps and one way only; two fingers on a pad move freely. A pinch comes with the control key.
    const isWheel = event.deltaMode !== 0 || (event.deltaX === 0 && Math.abs(event.deltaY) >= 80);
    if (event.ctrlKey || event.metaKey || isWheel) moves.zoom(spot(event), Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / (event.ctrlKey && !isWheel ? 120 : 450)));
    else moves.pan({ x: -event.deltaX, y: -event.deltaY });
  };
  element.addEventListener("pointerdown", press);
  element.addEventListener("pointermove", drag);
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", press);
    element.removeEventListener("pointermove", drag);
    element.removeEventListener("pointerup", lift);
    element.removeEventListener("pointercancel", lift);
    element.removeEventListener("wheel", wheel);
  };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

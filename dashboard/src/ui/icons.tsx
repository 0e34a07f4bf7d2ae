// Signs, drawn here: nothing is fetched, and they take the colour of the text.
import type { ReactNode } from "react";

const shapes = {
  overview: <path d="M2.5 13.5v-5M6.2 13.5v-9M9.8 13.5v-6M13.5 13.5v-11" />,
  runs: <path d="M2.5 4h11M2.5 8h11M2.5 12h7" />,
  flows: <path d="M5 3.5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0ZM14 8a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0ZM5 12.5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0ZM5 3.5h1.5c2 0 1.5 4.5 4.5 4.5-3 0-2.5 4.5-4.5 4.5H5" />,
  workers: <path d="M2.5 3.5h11v3.5h-11zM2.5 9h11v3.5h-11zM5 5.2h.01M5 10.8h.01" />,
  attention: <path d="M8 2.2 14.3 13.3H1.7ZM8 6.5v3M8 11.4v.01" />,
  audit: <path d="M4 2.5h6l2.5 2.5v8.5H4zM6.2 7.5h4M6.2 10.2h4" />,
  copy: <path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />,
  check: <path d="m3 8.5 3.3 3.3L13 4.8" />,
  cross: <path d="m4 4 8 8M12 4l-8 8" />,
  search: <path d="M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3l3.4 3.4" />,
  down: <path d="m4 6 4 4 4-4" />,
  right: <path d="m6 4 4 4-4 4" />,
  left: <path d="m10 4-4 4 4 4" />,
  more: <path d="M3 8h.01M8 8h.01M13 8h.01" strokeWidth="2.4" />,
  plus: <path d="M8 3v10M3 8h10" />,
  minus: <path d="M3 8h10" />,
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  pause: <path d="M5.5 3.5v9M10.5 3.5v9" strokeWidth="2" />,
  play: <path d="M5 3.2 12.5 8 5 12.8Z" />,
  stop: <path d="M4 4h8v8H4z" />,
  kill: <path d="M8 1.8v5M4.3 4.3a5.2 5.2 0 1 0 7.4 0" />,
  retry: <path d="M13 3v3.5H9.5M12.7 6.5A5.2 5.2 0 1 0 13.2 9" />,
  fork: <path d="M4.5 2.5v11M4.5 9c0-3 7-1.5 7-5M9.5 4.5l2-2 2 2" />,
  undo: <path d="M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.8 3.5 2.8 6.5l3 3" />,
  skip: <path d="M3 3.5 9 8l-6 4.5ZM12.5 3.5v9" />,
  trash: <path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9" />,
  signal: <path d="M8 9.5v4M8 9a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4.8 10.7a4.5 4.5 0 0 1 0-6.4M11.2 4.3a4.5 4.5 0 0 1 0 6.4M2.8 12.7a7.3 7.3 0 0 1 0-10.4M13.2 2.3a7.3 7.3 0 0 1 0 10.4" />,
  link: <path d="M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11.3 8.8M9 11.5l-1.2 1.2a3 3 0 0 1-4.3-4.3l1.2-1.2" />,
  terminal: <path d="M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10.5h3" />,
  sun: <path d="M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9" />,
  moon: <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z" />,
  system: <path d="M2 3h12v8H2zM6 13.5h4" />,
  clock: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.5" />,
  help: <path d="M6 6a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.4v.01" />,
  download: <path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10" />,
  filter: <path d="M2.5 3.5h11L9.5 8.5v4l-3 1v-5Z" />,
  flag: <path d="M4 14V2.5h8L10.5 5.5 12 8.5H4" />,
  wave: <path d="M1.5 5c3.2 0 3.2 3 6.5 3s3.2-3 6.5-3M1.5 9.5c3.2 0 3.2 3 6.5 3s3.2-3 6.5-3" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof shapes;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4"
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      {shapes[name]}
    </svg>
  );
}

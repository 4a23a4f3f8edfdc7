/** The emoji of the emoji tasks, each with the colour that dominates it. */
import type { Color } from './world.ts';

/** Names in the package @iconify-json/fluent-emoji-flat; a test measures that the colours are these. */
export const emojiByColor: Readonly<Record<Color, readonly string[]>> = {
  red: ['red-apple', 'strawberry', 'crab', 'lobster', 'boxing-glove', 'maple-leaf', 'red-heart', 'backpack'],
  blue: [
    'billed-cap',
    'cyclone',
    'dress',
    'jellyfish',
    'cold-face',
    'thong-sandal',
    'closed-mailbox-with-raised-flag',
    'nazar-amulet',
  ],
  green: [
    'cucumber',
    'green-apple',
    'four-leaf-clover',
    'crocodile',
    'cactus',
    'snake',
    'deciduous-tree',
    't-rex',
  ],
  yellow: [
    'star',
    'bell',
    'front-facing-baby-chick',
    'lemon',
    'banana',
    'light-bulb',
    'cheese-wedge',
    'file-folder',
  ],
  purple: [
    'eggplant',
    'umbrella',
    'purple-heart',
    'heart-decoration',
    'yo-yo',
    'gloves',
    'smiling-face-with-horns',
    'sagittarius',
  ],
  cyan: ['droplet', 'fish', 'dolphin', 'briefs', 'water-wave', 'flying-disc', 'wind-face', 'luggage'],
};

/** Angles at which one is drawn. */
export const turnCount = 5;
